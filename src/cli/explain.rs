//! `offmount explain`.

use std::io::Write;

use clap::Args;

use super::output;
use super::stop::Stop;
use crate::report::codes;

/// Explain what a finding means, what it costs, and what to do
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 done; 2 no such code.

Example:
  offmount explain partition-overlap")]
pub(super) struct Arguments {
    /// A finding's code, or the name e2fsck has for the problem
    #[arg(value_name = "CODE", required_unless_present = "all")]
    code: Option<String>,

    /// Every code, as one page of Markdown
    #[arg(long, conflicts_with = "code")]
    all: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Stop> {
    let text = match &arguments.code {
        None => codes::page(),
        Some(name) => paragraphs(name)?,
    };
    let mut out = output::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(0)
}

/// The paragraph of a code, or of all that e2fsck calls so.
fn paragraphs(name: &str) -> Result<String, Stop> {
    if let Some(code) = codes::find(name) {
        return Ok(codes::paragraph(code));
    }
    let similar = codes::similar(name);
    let named_by_e2fsck = similar.iter().filter(|code| code.e2fsck.iter().any(|it| it.eq_ignore_ascii_case(name)));
    let named: Vec<String> = named_by_e2fsck.map(|code| codes::paragraph(*code)).collect();
    if !named.is_empty() {
        return Ok(named.join("\n"));
    }
    let near: Vec<&str> = similar.iter().take(10).map(|code| code.id).collect();
    let next = if near.is_empty() {
        "`offmount explain --all` lists all".into()
    } else {
        format!("similar: {}", near.join(", "))
    };
    Err(Stop::Failed(format!("no finding has the code {name}; {next}")))
}
