//! LVM2's metadata text: sections of names and values, as lvm.conf(5) has them.

/// Sections in sections deeper than this are no metadata.
const MAX_DEPTH: usize = 8;

/// A section, with its names in the order of the text.
#[derive(Default, Debug)]
pub(super) struct Section {
    /// Sections in it.
    pub sections: Vec<(String, Section)>,
    /// Values: a number, a text or a list as the text has it, without quotation marks.
    values: Vec<(String, Vec<String>)>,
}

impl Section {
    /// Reads a text as far as it makes sense.
    pub(super) fn parse(text: &str) -> Self {
        let mut tokens = tokens(text).into_iter().peekable();
        Section::read(&mut tokens, 0)
    }

    fn read(tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>, depth: usize) -> Self {
        let mut section = Section::default();
        while let Some(token) = tokens.next() {
            let name = match token {
                Token::Word(name) => name,
                Token::Mark('}') => break,
                Token::Mark(_) => continue,
            };
            match tokens.next() {
                Some(Token::Mark('{')) if depth < MAX_DEPTH => {
                    section.sections.push((name, Section::read(tokens, depth + 1)));
                }
                Some(Token::Mark('=')) => section.values.push((name, value(tokens))),
                _ => break,
            }
        }
        section
    }

    /// A section in this one.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|(known, _)| known == name).map(|(_, section)| section)
    }

    /// A list of values; one value is a list of one.
    pub(super) fn list(&self, name: &str) -> &[String] {
        self.values.iter().find(|(known, _)| known == name).map_or(&[], |(_, list)| list)
    }

    /// A value.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.list(name).first().map(String::as_str)
    }

    /// A value that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

enum Token {
    Word(String),
    Mark(char),
}

/// What stands behind `=`: a word, or words in brackets.
fn value(tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>) -> Vec<String> {
    match tokens.next() {
        Some(Token::Word(word)) => vec![word],
        Some(Token::Mark('[')) => tokens
            .take_while(|token| !matches!(token, Token::Mark(']')))
            .filter_map(|token| match token {
                Token::Word(word) => Some(word),
                Token::Mark(_) => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |end| end + 1);
                tokens.push(Token::Word(rest[1..end].to_owned()));
                (end + 1).min(rest.len())
            }
            '{' | '}' | '[' | ']' | '=' | ',' => {
                tokens.push(Token::Mark(first));
                1
            }
            _ if first.is_whitespace() || first == '\0' => first.len_utf8(),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "{}[]=,#\"\0".contains(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
        };
        rest = &rest[len..];
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_values_lists_and_comments() {
        let text = "# LVM\nvg0 {\n id = \"a-b\" # id\n size=8192\n pvs {\n pv0 {\n start = 2048 } }\n tags = [\"x\", \"y z\", 3]\n}\n";
        let all = Section::parse(text);
        let group = all.section("vg0").unwrap();
        assert_eq!((group.text("id"), group.number("size")), (Some("a-b"), Some(8192)));
        assert_eq!(group.section("pvs").unwrap().section("pv0").unwrap().number("start"), Some(2048));
        assert_eq!(group.list("tags"), ["x", "y z", "3"]);
    }

    #[test]
    fn what_makes_no_sense_ends_the_reading() {
        for text in ["{{{{{", "a = ", "a = [", "a {", "\"", "a { b = \"c", "} } a = 1", &"a {".repeat(100)] {
            Section::parse(text);
        }
    }
}
