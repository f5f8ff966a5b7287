//! Divides the text that a command wrote to stderr into errors, and an error into the links of its chain.

/// The last message of the command.
pub(super) enum Extract {
    /// Errors that the tool marked as errors, with no progress between them.
    Errors(Vec<String>),
    /// The last lines, if no error is marked. The last line comes first.
    Lines(Vec<String>),
}

/// How many lines are examined if no error is marked.
const LINES: usize = 5;

/// The length of the longest line, in bytes. A longer line without a mark is data, such as a page that was cut off.
const LINE: usize = 4096;

/// The beginnings of lines that report progress. Errors before such a line belong to an earlier attempt.
const PROGRESS: &[&str] = &[
    "Trying to pull ",
    "Getting image ",
    "Copying ",
    "Writing manifest ",
    "Storing signatures",
    "Resolved ",
    "Resolving ",
    "STEP ",
];

/// The beginnings of lines that report an error.
const ERROR: &[&str] = &["Error: ", "Error response from daemon: ", "docker: Error "];

/// Finds the errors in a text without terminal codes.
pub(super) fn said(text: &str) -> Extract {
    let mut errors: Vec<String> = Vec::new();
    let mut lesser = None;
    let mut lines = Vec::new();
    // `anew`: the next error begins a new list. `goes_on`: the next line continues the last error.
    let (mut anew, mut goes_on) = (false, false);
    for line in text.lines().map(str::trim_end) {
        let logged = logged(line);
        let error = match &logged {
            Some((Level::Fatal, message)) => Some(message.clone()),
            Some((Level::Error, message)) => {
                lesser = Some(message.clone());
                None
            }
            None if ERROR.iter().any(|mark| begins(line, mark)) => Some(line.to_owned()),
            // In old versions only the head of a list shows that it is an error.
            None if !goes_on && lists_errors(line) => Some(line.to_owned()),
            Some((Level::Other, _)) | None => None,
        };
        if let Some(error) = error {
            if core::mem::take(&mut anew) {
                errors.clear();
            }
            errors.push(error);
            goes_on = true;
        } else if logged.is_some() {
            goes_on = false;
        } else if PROGRESS.iter().any(|mark| line.starts_with(mark)) {
            (anew, goes_on) = (true, false);
        } else {
            if let (true, Some(error)) = (goes_on, errors.last_mut()) {
                error.push('\n');
                error.push_str(line);
            }
            if !line.trim().is_empty() && line.len() <= LINE {
                lines.push(line);
            }
        }
    }
    if errors.is_empty() {
        errors.extend(lesser);
    }
    match errors.is_empty() {
        true => Extract::Lines(lines.into_iter().rev().take(LINES).map(str::to_owned).collect()),
        false => Extract::Errors(errors),
    }
}

/// Returns the errors of the registries or mirrors that one pull tried. Each comes with the heads of the lists that
/// contain it. In most cases there is one error without a head.
pub(super) fn parts(error: &str) -> Vec<(String, &str)> {
    let mut parts = Vec::new();
    take_apart(String::new(), error, &mut parts);
    parts
}

fn take_apart<'a>(head: String, error: &'a str, parts: &mut Vec<(String, &'a str)>) {
    let (own, items) = if lists_errors(error) { items(error) } else { ("", Vec::new()) };
    if items.is_empty() {
        parts.extend(mirrors(error).into_iter().map(|part| (head.clone(), part)));
    }
    for item in items {
        take_apart(format!("{head}{own}"), item, parts);
    }
}

/// Whether the text is a list of errors: of Podman with several search registries, or of Go.
fn lists_errors(text: &str) -> bool {
    ["1 error occurred", "errors occurred", "The following failures happened"]
        .iter()
        .any(|head| text.contains(head))
}

/// Returns the head and the items of a list of errors. Lines with more indentation than the first item belong to an
/// item.
fn items(error: &str) -> (&str, Vec<&str>) {
    let mut starts = Vec::new();
    let mut bullet = None;
    let mut offset = 0;
    for line in error.split_inclusive('\n') {
        let before =
            line.split_once("* ").map(|(before, _)| before).filter(|before| before.trim().is_empty());
        if offset > 0 && before.is_some() && (bullet.is_none() || before == bullet) {
            bullet = before;
            starts.push(offset);
        }
        offset += line.len();
    }
    let Some(first) = starts.first() else { return ("", Vec::new()) };
    let ends = starts.iter().skip(1).copied().chain([error.len()]);
    let items = starts.iter().zip(ends).filter_map(|(start, end)| error.get(*start..end)).collect();
    (error.get(..*first).unwrap_or_default(), items)
}

/// Returns the error of each mirror, and the registry's own error.
fn mirrors(error: &str) -> Vec<&str> {
    let Some((_, rest)) = error.split_once("(Mirrors also failed: [") else { return vec![error] };
    let (mirrors, own) = rest.rsplit_once("]): ").unwrap_or((rest, ""));
    mirrors.split("]\n[").chain([own]).filter(|part| !part.is_empty()).collect()
}

/// An error text in which text of the other side is covered, and its links. Offsets are the same as in the original
/// text.
pub(super) struct Chain {
    pub(super) covered: String,
    /// The offsets at which each link begins and ends.
    pub(super) links: Vec<(usize, usize)>,
}

impl Chain {
    pub(super) fn new(text: &str) -> Chain {
        let covered = covered(text);
        let mut links = Vec::new();
        let (mut start, mut at) = (0, 0);
        while let Some(rest) = covered.get(at..).filter(|rest| !rest.is_empty()) {
            // gRPC writes ` desc = ` before the text that it wraps, and Podman `processing tar file(`.
            let mark = [": ", "\n", " desc = ", "processing tar file("]
                .into_iter()
                .find(|mark| rest.starts_with(mark));
            if let Some(mark) = mark {
                links.push(tidy(&covered, start, at));
                start = at + mark.len();
            }
            at += mark.map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), str::len);
        }
        links.push(tidy(&covered, start, covered.len()));
        Chain { covered, links }
    }

    pub(super) fn link(&self, index: usize) -> &str {
        self.links.get(index).and_then(|(start, end)| self.covered.get(*start..*end)).unwrap_or_default()
    }

    /// Returns the text from the beginning of a link to the end.
    pub(super) fn from(&self, index: usize) -> &str {
        self.links.get(index).and_then(|(start, _)| self.covered.get(*start..)).unwrap_or_default()
    }
}

/// Trims a link: removes the bullet of a list, an opening quote, and the word `error` that older versions write
/// first.
fn tidy(text: &str, start: usize, end: usize) -> (usize, usize) {
    let link = text.get(start..end).unwrap_or_default();
    let link = link.trim_end().trim_end_matches(':');
    let end = start + link.len();
    let inner = link.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '`'));
    let inner = match begins(inner, "error ") {
        true => inner.get("error ".len()..).unwrap_or_default(),
        false => inner,
    };
    (end - inner.len(), end)
}

/// Covers what the other side may have written: quoted text, JSON and markup. Each byte is replaced by one byte, so
/// that offsets stay the same.
fn covered(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for (offset, line) in line_offsets(text) {
        let mut chars = line.char_indices();
        while let Some((at, c)) = chars.next() {
            let rest = line.get(at..).unwrap_or_default();
            let length = match c {
                '"' => quoted(rest),
                '{' => braced(rest),
                // Cover the rest of a page, whatever its lines contain.
                '<' if is_markup(rest) => {
                    cover(&mut kept, text.get(offset + at..).unwrap_or_default());
                    return kept;
                }
                _ => {
                    kept.push(c);
                    continue;
                }
            };
            let whole = rest.get(..length).unwrap_or(rest);
            cover(&mut kept, whole);
            for _ in whole.chars().skip(1) {
                chars.next();
            }
        }
    }
    kept
}

fn line_offsets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = offset;
        offset += line.len();
        (start, line)
    })
}

/// Writes as many bytes that match no row. The first character is kept if it marks a quote, JSON or markup.
fn cover(kept: &mut String, text: &str) {
    for (index, c) in text.char_indices() {
        match c {
            '"' | '{' | '<' if index == 0 => kept.push(c),
            '\n' => kept.push(c),
            c => kept.extend(core::iter::repeat_n('.', c.len_utf8())),
        }
    }
}

/// Returns the length of a quoted text with its quotes. If the quote does not end, it reaches to the end of the
/// line.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.trim_end().len()
}

/// Returns the length of a text in braces. Quoted parts of it may contain braces too.
fn braced(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            '"' => {
                at += quoted(text.get(at..).unwrap_or_default()).max(1);
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    text.trim_end().len()
}

/// Whether a text that begins with `<` begins with an HTML or XML tag. The tools themselves write words such as
/// `<nil>`, which are not tags. Python writes objects as `<urllib3.connection.HTTPSConnection object at 0x7f>`; the
/// name of a tag has no dot.
fn is_markup(text: &str) -> bool {
    let named = ["<nil>", "<none>", "<stdin>", "<unknown>"].iter().any(|word| text.starts_with(word));
    let inner = text.get(1..).unwrap_or_default();
    let after_name = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    !named
        && !after_name.starts_with('.')
        && inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?' | '/'))
}

/// The severity of a line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Fatal,
    Error,
    Other,
}

impl Level {
    fn named(word: &str) -> Level {
        match word.to_ascii_lowercase().as_str() {
            "fatal" | "panic" | "fata" | "pani" => Level::Fatal,
            "error" | "erro" => Level::Error,
            _ => Level::Other,
        }
    }
}

/// Returns the level and the message of a line that logrus wrote: as `key=value`, as JSON, or in its form for
/// terminals.
fn logged(line: &str) -> Option<(Level, String)> {
    if line.starts_with("time=") {
        let fields = fields(line);
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        return Some((Level::named(field("level")?), message(field("msg"), field("error"))));
    }
    if line.starts_with('{') {
        let fields: serde_json::Value = serde_json::from_str(line).ok()?;
        let field = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
        return Some((Level::named(field("level")?), message(field("msg"), field("error"))));
    }
    let (level, rest) = line.split_at_checked(4)?;
    let (_, message) = rest.strip_prefix('[')?.split_once("] ")?;
    level.chars().all(|c| c.is_ascii_uppercase()).then(|| (Level::named(level), message.to_owned()))
}

fn message(message: Option<&str>, error: Option<&str>) -> String {
    [message, error].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// Returns the fields of a line `key=value key="quoted value"`.
fn fields(line: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = line;
    while let Some((key, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(inner) => unquoted(inner),
            None => {
                let (bare, after) = value.split_once(' ').unwrap_or((value, ""));
                (bare.to_owned(), after)
            }
        };
        fields.push((key.trim().to_owned(), value));
        rest = after;
    }
    fields
}

/// Returns the text up to the closing quote, and the rest. The line may end before the quote.
fn unquoted(text: &str) -> (String, &str) {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    (plain, chars.as_str())
}

/// Removes a terminal's colours, titles and cursor movements. Text that was overwritten becomes a line of its own.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // Skip parameters up to the letter that ends them.
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // Skip a title or a link, up to BEL or to ESC and a backslash.
                Some(']') => {
                    while let Some(c) = chars.next_if(|c| *c != '\n') {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\r' => plain.push('\n'),
            other => plain.push(other),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// Whether a text begins with a sign, in upper or lower case.
pub(super) fn begins(text: &str, sign: &str) -> bool {
    text.get(..sign.len()).is_some_and(|start| start.eq_ignore_ascii_case(sign))
}
