//! Who may operate where nobody has to say who they are: whoever is on this machine.
//!
//! Not a page of a site whose name was made to lead to this machine, in a browser on it: its `Host` is a name, and
//! only addresses and `localhost` are taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;

/// # Errors
/// Why not, with the remedy.
pub(super) fn may_operate(peer: SocketAddr, headers: &HeaderMap) -> Result<(), &'static str> {
    if !is_local(peer.ip()) {
        return Err(
            "connectors are changed from the machine of the process alone: send the request there, to its loopback address (in Kubernetes: `kubectl exec`, or `kubectl port-forward`), or set `http.auth`",
        );
    }
    if ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name))
    {
        return Err(
            "the request came through a proxy, so it may be anybody's: connectors are changed from the machine of the process alone, unless `http.auth` is set",
        );
    }
    let host = headers.get("host").map(|host| host.to_str().unwrap_or("?")).unwrap_or_default();
    if !is_address(host) {
        return Err(
            "the host of the request is a name, and a browser can be made to call any: call `localhost`, or an address",
        );
    }
    Ok(())
}

/// Not all of 127.0.0.0/8: a service mesh passes on from other addresses of it what comes from elsewhere.
fn is_local(peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    peer == IpAddr::V4(Ipv4Addr::LOCALHOST) || peer == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

/// Whether a host is `localhost` or an address, with or without a port.
fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(peer: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        map.insert("host", "localhost:8083".parse().unwrap());
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        may_operate(peer.parse().unwrap(), &map).is_ok()
    }

    #[test]
    fn only_this_machine_changes_connectors() {
        for (peer, is_local) in [
            ("127.0.0.1:5", true),
            ("127.0.0.6:5", false),
            ("[::1]:5", true),
            ("[::ffff:127.0.0.1]:5", true),
            ("10.0.0.1:5", false),
            ("[fe80::1]:5", false),
            ("[::ffff:10.0.0.1]:5", false),
        ] {
            assert_eq!(may(peer, &[]), is_local, "{peer}");
        }
        let local = "127.0.0.1:5";
        assert!(!may(local, &[("x-forwarded-for", "10.0.0.1")]));
        assert!(!may(local, &[("host", "evil.example:8083")]));
        assert!(may(local, &[("host", "[::1]:8083")]));
    }
}
