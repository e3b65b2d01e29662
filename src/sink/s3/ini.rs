//! The files in which AWS tools keep settings (AWS SDKs and Tools Reference Guide, "Shared config and credentials files").

use std::collections::HashMap;

/// Settings by section and name; of a nested one (`s3 =` and indented lines below it) the name is `s3.NAME`.
#[derive(Default, Debug)]
pub struct Ini(HashMap<(String, String), String>);

impl Ini {
    /// Understands a file's text. Lines that are neither section nor setting are passed over.
    pub fn parse(text: &str) -> Self {
        let (mut settings, mut section, mut outer) = (HashMap::new(), String::new(), String::new());
        for line in text.lines() {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = name.split_whitespace().collect::<Vec<_>>().join(" ");
                continue;
            }
            let Some((name, value)) = bare.split_once('=') else { continue };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            let is_nested = line.starts_with([' ', '\t']) && !outer.is_empty();
            let name = if is_nested { format!("{outer}.{name}") } else { name };
            if !is_nested {
                outer = if value.is_empty() { name.clone() } else { String::new() };
            }
            settings.insert((section.clone(), name), value);
        }
        Ini(settings)
    }

    /// A setting that is not empty.
    pub fn get(&self, section: &str, name: &str) -> Option<&str> {
        let value = self.0.get(&(section.to_owned(), name.to_owned()))?;
        (!value.is_empty()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_settings_and_nested_ones() {
        let ini = Ini::parse(
            "# comment\n[default]\naws_access_key_id = A\n\n[profile  other]\nregion=eu-1\nservices = mine\n\
             [services mine]\ns3 =\n  endpoint_url = http://x:1\nother = 2\n",
        );
        assert_eq!(ini.get("default", "aws_access_key_id"), Some("A"));
        assert_eq!(ini.get("profile other", "region"), Some("eu-1"));
        assert_eq!(ini.get("services mine", "s3.endpoint_url"), Some("http://x:1"));
        assert_eq!(ini.get("services mine", "other"), Some("2"));
        assert_eq!(ini.get("default", "region"), None);
    }
}
