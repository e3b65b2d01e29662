//! What to do about a server whose certificate is not trusted ([`advice`]).

/// In words, by what was said of the certificate. `variables`: those that can name a file of authorities.
pub fn advice(said: &str, variables: &str) -> String {
    let said = said.to_ascii_lowercase().replace(' ', "");
    // A machine whose clock has stopped, or begins anew at every start, sees all certificates at the wrong time.
    match said.contains("expired") || said.contains("notvalidyet") {
        true => format!(
            "by this machine's clock it is {}: if that is wrong, set it (timedatectl set-ntp true), else the server's \
             certificate is out of date",
            jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")
        ),
        false => format!("put its authority's certificate (PEM) into a file, and name that in {variables}"),
    }
}
