//! Name and password for a server ([`authorization`]): the URL's, the environment's, or those in `~/.netrc`.

use std::path::PathBuf;

use base64::Engine;

use crate::sink::url::Url;

/// The variable that holds a password.
const PASSWORD: &str = "OFFMOUNT_WEBDAV_PASSWORD";

/// What to do when a server refuses them.
pub const REFUSED: &str = "the server refuses name or password (401): name the user in the URL (webdavs://USER@HOST/), \
                           and put the password in OFFMOUNT_WEBDAV_PASSWORD or ~/.netrc";

/// The value of the header, by the scheme `Basic` (RFC 7617); `None` for a guest.
///
/// # Errors
/// In words: a user without a password.
pub fn authorization(url: &Url) -> Result<Option<String>, String> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".netrc"));
    let netrc = variable("NETRC").map(PathBuf::from).or_else(home);
    let netrc = netrc.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let password = url.password.clone().or_else(|| std::env::var(PASSWORD).ok());
    let login = match (&url.user, password) {
        (Some(user), Some(password)) => Some((user.clone(), password)),
        (user, _) => entry(&netrc, &url.host, user.as_deref()),
    };
    match (login, &url.user) {
        (Some((user, password)), _) => {
            let both = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            Ok(Some(format!("Basic {both}")))
        }
        (None, None) => Ok(None),
        (None, Some(user)) => Err(format!("no password for {user}@{}: put it in {PASSWORD}, or in ~/.netrc", url.host)),
    }
}

/// Name and password in a netrc file: `machine HOST login NAME password WORD`, or `default` in place of the machine.
fn entry(netrc: &str, host: &str, user: Option<&str>) -> Option<(String, String)> {
    let (mut matches, mut login, mut password) = (false, None, None);
    let mut words = netrc.split_whitespace();
    let found = |login: &Option<&str>, password: &Option<&str>| match (*login, *password) {
        (Some(name), Some(word)) if user.is_none_or(|user| user == name) => Some((name.to_owned(), word.to_owned())),
        _ => None,
    };
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" => {
                if matches && let Some(entry) = found(&login, &password) {
                    return Some(entry);
                }
                matches = word == "default" || words.next() == Some(host);
                (login, password) = (None, None);
            }
            "login" => login = words.next(),
            "password" => password = words.next(),
            _ => {}
        }
    }
    if matches { found(&login, &password) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netrc_is_searched_by_machine_and_name() {
        let netrc = "machine a login x password 1\nmachine b\n login y\n password 2\nmachine b login z password 3\n\
                     default login d password 4\n";
        let word = |host, user| entry(netrc, host, user).map(|(_, word)| word);
        assert_eq!(word("a", None).as_deref(), Some("1"));
        assert_eq!(word("b", None).as_deref(), Some("2"));
        assert_eq!(word("b", Some("z")).as_deref(), Some("3"));
        assert_eq!(word("c", None).as_deref(), Some("4"));
        assert_eq!(word("c", Some("x")), None);
    }
}
