//! A file of users: lines `NAME:HASH` with bcrypt hashes, as `htpasswd -B` makes them.

use std::collections::BTreeSet;

/// Hashes that cost more take many seconds each; the cost doubles with each step.
const DEAREST: u32 = 15;

/// Hashed where the name is unknown, so that it takes as long as where it is known: any salt and hash.
const NOBODY: &str = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde";

/// The hash of a user.
pub(super) struct Found {
    pub(super) hash: String,
    /// There is such a user.
    pub(super) is_known: bool,
}

/// What is wrong with a file, without quoting it.
pub(super) fn problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line) {
            None => problems.push(format!(
                "has no user in its line {number}: expected `NAME:HASH` with a bcrypt hash of a cost up to {DEAREST}, as `htpasswd -B` makes it"
            )),
            Some((name, _)) if !names.insert(name) => {
                problems.push(format!("has a user twice, again in its line {number}"));
            }
            Some(_) => {}
        }
    }
    if names.is_empty() && problems.is_empty() {
        problems.push("has no user: add one with `htpasswd -B`".to_owned());
    }
    problems
}

/// Names of the users.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| entry(line.trim())).map(|(name, _)| name)
}

/// The hash of a user, or one that fits no password and costs as much.
pub(super) fn find(text: &str, name: &str) -> Found {
    let mut all = text.lines().filter_map(|line| entry(line.trim()));
    let found = all.find(|(known, _)| *known == name);
    if let Some((_, hash)) = found {
        return Found { hash: hash.to_owned(), is_known: true };
    }
    let costs = text.lines().filter_map(|line| cost(entry(line.trim())?.1));
    let cost = costs.max().unwrap_or(4);
    Found { hash: format!("$2b${cost:02}${NOBODY}"), is_known: false }
}

/// Whether this is the password. Takes long, as it should.
pub(super) fn verify(password: &str, hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or(false)
}

/// A line that is a user.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, hash) = line.split_once(':')?;
    let is_name = !name.is_empty() && !name.starts_with('#') && !name.contains(char::is_control);
    (is_name && cost(hash).is_some()).then_some((name, hash))
}

/// The cost of a bcrypt hash; none where it is none, or too dear.
fn cost(hash: &str) -> Option<u32> {
    let rest = ["$2y$", "$2b$", "$2a$"].iter().find_map(|start| hash.strip_prefix(start))?;
    let (cost, rest) = rest.split_once('$')?;
    let is_rest = rest.len() == NOBODY.len()
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    let cost: u32 = cost.parse().ok()?;
    (is_rest && (4..=DEAREST).contains(&cost)).then_some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &str) -> String {
        bcrypt::hash(password, 4).unwrap()
    }

    #[test]
    fn a_password_is_known_by_its_hash_and_nobody_by_any() {
        let of_htpasswd = hash("correct horse").replacen("$2b$", "$2y$", 1);
        let file = format!("# who\n\nanna:{of_htpasswd}\nboris:{}\n", hash("x"));
        assert_eq!(problems(&file), Vec::<String>::new());
        assert_eq!(names(&file).collect::<Vec<_>>(), ["anna", "boris"]);
        let anna = find(&file, "anna");
        assert!(anna.is_known && verify("correct horse", &anna.hash));
        assert!(!verify("correct horse ", &anna.hash) && !verify("", &anna.hash));
        let nobody = find(&file, "carl");
        assert!(!nobody.is_known && cost(&nobody.hash) == Some(4));
        assert!(!verify("correct horse", &nobody.hash));
        assert!(bcrypt::verify("x", &nobody.hash).is_ok(), "it is a hash, so it takes as long");
    }

    /// Of Solar Designer's bcrypt, which `htpasswd` uses.
    #[test]
    fn a_hash_that_another_program_made_is_verified() {
        let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(verify("U*U", hash) && verify("U*U", &hash.replacen("2a", "2y", 1)));
        assert!(!verify("U*U*", hash));
    }

    #[test]
    fn what_is_no_user_is_told_by_its_line_and_never_quoted() {
        let dear = format!("anna:$2b$31${NOBODY}");
        for odd in ["anna", "anna:secret", "anna:{SHA}x", ":x", "anna:$apr1$a$b", dear.as_str()] {
            let found = problems(&format!("\n{odd}\n"));
            assert_eq!(found.len(), 1, "{odd}: {found:?}");
            assert!(found[0].contains("line 2") && !found[0].contains("secret"), "{found:?}");
            assert_eq!(names(odd).count(), 0);
        }
        let twice = format!("a:$2b$04${NOBODY}\na:$2b$04${NOBODY}");
        assert!(problems(&twice)[0].contains("twice"));
        assert!(problems("# nobody")[0].contains("htpasswd"));
    }
}
