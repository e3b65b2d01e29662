//! What to do about a server whose certificate is not trusted ([`advice`]).

/// In words, by what was said of the certificate. `variables`: those that can name a file of authorities.
pub fn advice(said: &str, variables: &str) -> String {
    let said = said.to_ascii_lowercase().replace(' ', "");
    // A machine whose clock has stopped, or begins anew at every start, sees all certificates at the wrong time.
    if said.contains("causedasendentity") {
        return "it is made for an authority, not for a server: make the server one of its own (openssl req -x509 with \
                -addext basicConstraints=critical,CA:FALSE), and name its file in "
            .to_owned() + variables;
    }
    match said.contains("expired") || said.contains("notvalidyet") {
        true => format!(
            "by this machine's clock it is {}: if that is wrong, set it (timedatectl set-ntp true), else the server's \
             certificate is out of date",
            jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")
        ),
        false => format!("put its authority's certificate (PEM) into a file, and name that in {variables}"),
    }
}

/// Where the two sides do not agree whether to encrypt: what to look at.
pub fn encryption(said: &str) -> Option<&'static str> {
    let is_plain = said.contains("InvalidContentType");
    is_plain.then_some(" (it does not encrypt: http in place of https, webdav of webdavs, or another port)")
}

/// What is in the file of authorities that the user names; `None` where none is named.
///
/// # Errors
/// In words: it can not be read.
pub fn named() -> Result<Option<Vec<u8>>, String> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) else { return Ok(None) };
    let shown = path.to_string_lossy().into_owned();
    std::fs::read(path).map(Some).map_err(|error| format!("reading {shown} (SSL_CERT_FILE): {error}"))
}
