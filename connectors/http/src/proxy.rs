//! Whether an upstream is reached through a proxy: one rule for HTTP, WebSockets and the registry.

use hyper::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::Url;
use talon_sdk::config::{Key, Secret, Settings};

/// What the environment's proxies never stand before, whatever `NO_PROXY` says: a proxy elsewhere would
/// reach a loopback of its own.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Which proxy stands before an upstream. Cheap to clone; shows no credentials.
#[derive(Debug, Clone, Default)]
pub struct Proxy(Rule);

#[derive(Debug, Clone, Default)]
enum Rule {
    /// None, whatever the environment says.
    #[default]
    None,
    Environment(Environment),
    Fixed {
        url: Url,
        /// `user:password`.
        user_info: Option<Secret>,
    },
}

/// What the process's environment says, as curl reads it.
#[derive(Clone, Default)]
pub struct Environment {
    /// `HTTP_PROXY`, for http and ws.
    pub http: String,
    /// `HTTPS_PROXY`, for https and wss.
    pub https: String,
    /// `ALL_PROXY`, where there is none of the two.
    pub all: String,
    /// `NO_PROXY`.
    pub no: String,
}

impl Environment {
    /// Of this process; each variable may also be written in lower case.
    pub fn of_process() -> Environment {
        let of = |name: &str| {
            let text = std::env::var(name).or_else(|_| std::env::var(name.to_lowercase()));
            text.unwrap_or_default()
        };
        let (http, https) = (of("HTTP_PROXY"), of("HTTPS_PROXY"));
        Environment { http, https, all: of("ALL_PROXY"), no: of("NO_PROXY") }
    }

    /// What stands before http, or before https.
    fn of_scheme(&self, is_secured: bool) -> (&'static str, &str) {
        let (name, own) =
            if is_secured { ("HTTPS_PROXY", &self.https) } else { ("HTTP_PROXY", &self.http) };
        if own.is_empty() { ("ALL_PROXY", &self.all) } else { (name, own) }
    }

    /// A variable that names no proxy that can be used.
    fn unusable(&self) -> Option<&'static str> {
        let of = [self.of_scheme(false), self.of_scheme(true)];
        of.into_iter()
            .find(|(_, text)| !text.is_empty() && usable(text).is_none())
            .map(|(name, _)| name)
    }

    /// The proxy before a target, with its credentials.
    fn before(&self, target: &Uri) -> Option<String> {
        let (_, proxy) = self.of_scheme(target.scheme_str() == Some("https"));
        let no = format!("{},{LOOPBACK}", self.no);
        let matcher = Matcher::builder().all(proxy).no(no).build();
        matcher.intercept(target).map(|_| proxy.to_owned())
    }
}

/// Without the addresses, which may have credentials in them.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("no", &self.no).finish_non_exhaustive()
    }
}

/// The settings of a proxy, `{of}.proxy` and `{of}.proxy.user.info`.
pub fn keys(of: &str) -> Vec<Key> {
    vec![
        Key::text(format!("{of}.proxy"))
            .default("environment")
            .doc("The HTTP proxy: its URL, `none`, or `environment`. `environment` takes `HTTP_PROXY` for http and ws, `HTTPS_PROXY` for https and wss, `ALL_PROXY` where the one is not set, and none for what `NO_PROXY` names nor for the machine itself. What is secured goes through the proxy by CONNECT, and so do all WebSockets. Entries of `NO_PROXY` are separated by commas: an address, a network (`10.0.0.0/8`), a name, which stands for all names below it too (`internal` and `.internal` are the same), or `*` for everything; entries with a port, and `*` inside a name, match nothing."),
        Key::secret(format!("{of}.proxy.user.info"))
            .doc("`user:password` for the proxy whose URL is set. Read again when its file changes."),
    ]
}

/// Reads the settings that [`keys`] declares. Does no I/O.
pub fn read(settings: &mut Settings<'_>, of: &str) -> Proxy {
    read_in(settings, of, Environment::of_process())
}

/// [`read`], in an environment.
pub fn read_in(settings: &mut Settings<'_>, of: &str, environment: Environment) -> Proxy {
    let (name, user_info) = (format!("{of}.proxy"), format!("{of}.proxy.user.info"));
    let text = settings.text(&name);
    let is_url = !matches!(text.as_str(), "" | "none" | "environment");
    if !is_url && settings.is_set(&user_info) {
        let problem = format!("has no effect, since `{name}` is no URL");
        settings.problem(&user_info, problem);
    }
    match text.as_str() {
        // A reference that is not resolved is empty.
        "" | "none" => Proxy(Rule::None),
        "environment" => {
            if let Some(variable) = environment.unusable() {
                settings.problem(&name, format!("is `environment`, and `{variable}` there is no `http://host:port`, the only kind of proxy that there is; set a URL, or `none`"));
            }
            Proxy(Rule::Environment(environment))
        }
        url => match usable(url).and_then(|_| Url::parse(url).ok()) {
            Some(url) if url.username().is_empty() && url.password().is_none() => {
                Proxy(Rule::Fixed { url, user_info: settings.secret(&user_info) })
            }
            Some(_) => {
                settings.problem(&name, format!("has a user or password in it; use `{user_info}`"));
                Proxy(Rule::None)
            }
            None => {
                settings.problem(&name, "is none of `environment`, `none`, `http://host:port`");
                Proxy(Rule::None)
            }
        },
    }
}

impl Proxy {
    /// The environment's.
    pub fn of(environment: Environment) -> Proxy {
        Proxy(Rule::Environment(environment))
    }

    /// The proxy before a target, as the library takes it; `target` is http or https.
    pub(crate) fn before(&self, target: &Uri) -> Option<Intercept> {
        Matcher::builder().all(self.address(target)?).build().intercept(target)
    }

    /// Whether a proxy stands before a target.
    pub(crate) fn is_before(&self, target: &Url) -> bool {
        target.as_str().parse().is_ok_and(|target| self.address(&target).is_some())
    }

    /// Tells a builder of the HTTP library.
    pub fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let builder = builder.no_proxy();
        if matches!(self.0, Rule::None) {
            return builder;
        }
        let proxy = self.clone();
        builder.proxy(reqwest::Proxy::custom(move |target| {
            proxy.address(&target.as_str().parse().ok()?)
        }))
    }

    /// The address of the proxy before a target, with its credentials as they are now.
    fn address(&self, target: &Uri) -> Option<String> {
        match &self.0 {
            Rule::None => None,
            Rule::Environment(environment) => environment.before(target),
            Rule::Fixed { url, user_info } => {
                let mut url = url.clone();
                if let Some(user_info) = user_info {
                    let text = user_info.expose();
                    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
                    // An http URL can have both.
                    url.set_username(user).and_then(|()| url.set_password(Some(password))).ok()?;
                }
                Some(url.into())
            }
        }
    }
}

/// A proxy that is spoken to as HTTP, in the clear.
fn usable(text: &str) -> Option<Intercept> {
    let target = Uri::from_static("https://example.org");
    let proxy = Matcher::builder().all(text).build().intercept(&target)?;
    (proxy.uri().scheme_str() == Some("http")).then_some(proxy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(http: &str, https: &str, all: &str, no: &str) -> Environment {
        let [http, https, all, no] = [http, https, all, no].map(str::to_owned);
        Environment { http, https, all, no }
    }

    fn before(environment: &Environment, target: &str) -> String {
        let proxy = Proxy::of(environment.clone()).before(&target.parse().unwrap());
        proxy.map_or("direct".to_owned(), |proxy| proxy.uri().to_string())
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_stands_in() {
        let both = environment("http://one:1", "two:2", "http://three:3", "");
        assert_eq!(before(&both, "http://a.example"), "http://one:1/");
        assert_eq!(before(&both, "https://a.example"), "http://two:2/");
        let all = environment("", "", "http://three:3", "");
        assert_eq!(before(&all, "https://a.example"), "http://three:3/");
        let one = environment("http://one:1", "", "", "");
        assert_eq!(before(&one, "https://a.example"), "direct");
    }

    #[test]
    fn no_proxy_is_read_as_the_documentation_of_the_setting_says() {
        for (no, target, expected) in [
            ("internal", "http://a.internal", "direct"),
            (".internal", "http://a.internal:8080", "direct"),
            (".internal", "http://internal", "direct"),
            ("INTERNAL", "http://a.internal", "direct"),
            ("a.internal, b.internal", "http://b.internal", "direct"),
            ("internal", "http://notinternal", "proxied"),
            ("*.internal", "http://a.internal", "proxied"),
            ("a.internal:80", "http://a.internal:80", "proxied"),
            ("10.0.0.0/8", "http://10.1.2.3", "direct"),
            ("10.0.0.0/8", "http://ten.example", "proxied"),
            ("10.1.2.3", "http://10.1.2.3:99", "direct"),
            ("fd00::/8", "http://[fd00::1]", "direct"),
            ("*", "http://a.example", "direct"),
            ("", "http://a.example", "proxied"),
            // The machine itself never is.
            ("", "http://localhost:8081", "direct"),
            ("", "http://127.1.2.3", "direct"),
            ("", "http://[::1]:8081", "direct"),
        ] {
            let environment = environment("http://proxy:3128", "", "", no);
            let found = before(&environment, target);
            assert_eq!(found != "direct", expected == "proxied", "`{no}` for {target}: {found}");
        }
    }

    #[test]
    fn a_proxy_of_another_kind_is_told_and_credentials_are_not_shown() {
        for other in ["socks5://s:1", "https://s:1", "ftp://s", "http://"] {
            assert_eq!(environment("", "", other, "").unusable(), Some("ALL_PROXY"), "{other}");
            assert_eq!(environment("", other, "", "").unusable(), Some("HTTPS_PROXY"), "{other}");
        }
        let secret = environment("http://me:s3cr3t@one:1", "", "", "");
        assert_eq!(secret.unusable(), None);
        let proxy = Proxy::of(secret);
        assert!(!format!("{proxy:?}").contains("s3cr3t"));
        let intercept = proxy.before(&Uri::from_static("http://a.example")).unwrap();
        assert!(!format!("{intercept:?}").contains("s3cr3t"));
        assert_eq!(intercept.basic_auth().unwrap(), "Basic bWU6czNjcjN0");
    }
}
