//! The one-line notation of replies in transcripts: how a reply is written, and the patterns that one is compared with.
//!
//! `tests/README.md` describes it for those who write transcripts.

use std::fmt::Write as _;

use crate::naive::Value;

/// What a reply must be.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Exactly this.
    Exact(Value),
    /// `any`
    Any,
    /// `:5..9`: an integer within these bounds, both included
    Range(i64, i64),
    /// `?"ab*"` and its kin: a text of this kind that matches a glob of `*` and `?`
    Glob(Text, Vec<u8>),
    /// `{"a" | "b"}`
    OneOf(Vec<Pattern>),
    /// Elements of an array, set or push
    Elements(Elements),
    /// Pairs in any order: `%{…}` a map, `?{…}` an array of keys and values in turn
    Pairs {
        /// Whether the pairs stand in a map, not flat in an array.
        is_map: bool,
        /// A key's and a value's pattern for each pair.
        pairs: Vec<(Pattern, Pattern)>,
        /// Whether further pairs may follow (`...`).
        open: bool,
    },
    /// `|{…} value`: the attributes are compared as pairs
    Attributed(Box<Pattern>, Box<Pattern>),
}

/// The pattern of an array, set or push.
#[derive(Clone, Debug)]
pub struct Elements {
    kind: u8,
    in_order: bool,
    patterns: Vec<Pattern>,
    open: bool,
}

/// The types that carry text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// `+`
    Simple,
    /// `-`
    Error,
    /// `$`
    Bulk,
    /// `=`, with its format
    Verbatim([u8; 3]),
}

impl Pattern {
    /// Reads one pattern, the whole of `text`.
    ///
    /// # Errors
    ///
    /// What was expected, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let pattern = reader.pattern(true)?;
        reader.blanks();
        if reader.at < text.len() {
            return Err(reader.error("the end of the line"));
        }
        Ok(pattern)
    }

    /// Whether `value` is as the pattern wants it.
    pub fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Exact(expected) => expected == value,
            Self::Any => true,
            Self::Range(least, most) => {
                matches!(value, Value::Integer(n) if (least..=most).contains(&n))
            }
            Self::Glob(text, glob) => {
                text_of(value).is_some_and(|(kind, bytes)| kind == *text && is_match(glob, bytes))
            }
            Self::OneOf(patterns) => patterns.iter().any(|pattern| pattern.matches(value)),
            Self::Elements(elements) => elements.matches(value),
            Self::Pairs {
                is_map,
                pairs,
                open,
            } => match value {
                Value::Map(found) if *is_map => pairs_match(
                    pairs,
                    &found.iter().map(|(k, v)| (k, v)).collect::<Vec<_>>(),
                    *open,
                ),
                Value::Array(found) if !is_map && found.len().is_multiple_of(2) => pairs_match(
                    pairs,
                    &found
                        .chunks(2)
                        .map(|pair| (&pair[0], &pair[1]))
                        .collect::<Vec<_>>(),
                    *open,
                ),
                _ => false,
            },
            Self::Attributed(attributes, described) => match value {
                Value::Attributed(found, value) if found.len() == 1 => {
                    attributes.matches(&Value::Map(found[0].clone())) && described.matches(value)
                }
                _ => false,
            },
        }
    }
}

impl Elements {
    fn matches(&self, value: &Value) -> bool {
        let ((b'*', Value::Array(found)) | (b'~', Value::Set(found)) | (b'>', Value::Push(found))) =
            (self.kind, value)
        else {
            return false;
        };
        if found.len() < self.patterns.len() || (found.len() > self.patterns.len() && !self.open) {
            return false;
        }
        if self.in_order {
            return self
                .patterns
                .iter()
                .zip(found)
                .all(|(pattern, value)| pattern.matches(value));
        }
        all_taken(
            &self.patterns,
            &found.iter().collect::<Vec<_>>(),
            |pattern, value| pattern.matches(value),
        )
    }
}

fn pairs_match(pairs: &[(Pattern, Pattern)], found: &[(&Value, &Value)], open: bool) -> bool {
    (found.len() == pairs.len() || (open && found.len() > pairs.len()))
        && all_taken(pairs, found, |(key, mapped), (k, v)| {
            key.matches(k) && mapped.matches(v)
        })
}

/// Whether each pattern in turn can take a value that no earlier one took.
fn all_taken<P, V>(patterns: &[P], values: &[V], matches: impl Fn(&P, &V) -> bool) -> bool {
    let mut left: Vec<&V> = values.iter().collect();
    patterns.iter().all(|pattern| {
        let place = left.iter().position(|value| matches(pattern, value));
        place.is_some_and(|place| {
            left.swap_remove(place);
            true
        })
    })
}

fn text_of(value: &Value) -> Option<(Text, &[u8])> {
    match value {
        Value::SimpleString(bytes) => Some((Text::Simple, bytes)),
        Value::SimpleError(bytes) => Some((Text::Error, bytes)),
        Value::BulkString(bytes) => Some((Text::Bulk, bytes)),
        Value::VerbatimString(format, bytes) => Some((Text::Verbatim(*format), bytes)),
        _ => None,
    }
}

/// `*` stands for any bytes, `?` for one.
fn is_match(glob: &[u8], text: &[u8]) -> bool {
    // reached[i]: the glob's first i bytes match the text so far.
    let mut reached = vec![false; glob.len() + 1];
    reached[0] = true;
    let skip_stars = |reached: &mut Vec<bool>| {
        for (i, byte) in glob.iter().enumerate() {
            reached[i + 1] |= reached[i] && *byte == b'*';
        }
    };
    skip_stars(&mut reached);
    for byte in text {
        let mut next = vec![false; glob.len() + 1];
        for (i, wanted) in glob.iter().enumerate() {
            next[i] |= reached[i] && *wanted == b'*';
            next[i + 1] |= reached[i] && (*wanted == b'?' || (wanted == byte && *wanted != b'*'));
        }
        skip_stars(&mut next);
        reached = next;
    }
    reached[glob.len()]
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(' ').len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn want(&mut self, token: &str) -> Result<(), String> {
        self.blanks();
        if self.take(token) {
            Ok(())
        } else {
            Err(self.error(&format!("`{token}`")))
        }
    }

    fn error(&self, wanted: &str) -> String {
        format!(
            "expected {wanted} at column {}, found `{}`",
            self.at + 1,
            self.rest()
        )
    }

    /// Everything up to a delimiter of aggregates, or to the end of the line where the value stands alone.
    fn word(&mut self, alone: bool) -> &'a str {
        let rest = self.rest();
        let end = if alone {
            None
        } else {
            rest.find([',', ':', ']', '}', '|'])
        };
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        if alone { word } else { word.trim_end() }
    }

    fn pattern(&mut self, alone: bool) -> Result<Pattern, String> {
        self.blanks();
        let exact = |value| Ok(Pattern::Exact(value));
        for (token, value) in [
            ("nil*", Value::NullArray),
            ("nil", Value::NullBulkString),
            ("_", Value::Null),
            ("#t", Value::Boolean(true)),
            ("#f", Value::Boolean(false)),
        ] {
            if self.take(token) {
                return exact(value);
            }
        }
        if self.take("any") {
            return Ok(Pattern::Any);
        }
        if self.take("+") {
            return self.line(Text::Simple, alone);
        }
        if self.take("-") {
            return self.line(Text::Error, alone);
        }
        if self.take(":") {
            return self.integer(alone);
        }
        if self.take(",") {
            let word = self.word(alone);
            return word.parse().map_or_else(
                |_| Err(self.error("a double before this")),
                |n| exact(Value::Double(n)),
            );
        }
        if self.take("(") {
            return exact(Value::BigNumber(self.word(alone).as_bytes().to_vec()));
        }
        if self.take("!") {
            return exact(Value::BulkError(self.quoted()?));
        }
        if self.take("=") {
            let format = self
                .rest()
                .as_bytes()
                .first_chunk::<3>()
                .copied()
                .ok_or_else(|| self.error("a format"))?;
            self.at += format.len();
            self.want(":")?;
            if self.take("?") {
                return Ok(Pattern::Glob(Text::Verbatim(format), self.quoted()?));
            }
            return exact(Value::VerbatimString(format, self.quoted()?));
        }
        if self.rest().starts_with('"') {
            return exact(Value::BulkString(self.quoted()?));
        }
        if self.rest().starts_with("?\"") {
            self.at += 1;
            return Ok(Pattern::Glob(Text::Bulk, self.quoted()?));
        }
        self.aggregate()
    }

    fn aggregate(&mut self) -> Result<Pattern, String> {
        for (token, kind, in_order) in [
            ("[", b'*', true),
            ("?[", b'*', false),
            ("~[", b'~', false),
            (">[", b'>', true),
        ] {
            if self.take(token) {
                let (patterns, open) = self.list("]", |reader| reader.pattern(false))?;
                return Ok(Pattern::Elements(Elements {
                    kind,
                    in_order,
                    patterns,
                    open,
                }));
            }
        }
        for (token, is_map) in [("%{", true), ("?{", false)] {
            if self.take(token) {
                return self.pairs(is_map);
            }
        }
        if self.take("|{") {
            let attributes = self.pairs(true)?;
            return Ok(Pattern::Attributed(
                attributes.into(),
                self.pattern(false)?.into(),
            ));
        }
        if self.take("{") {
            let mut patterns = vec![self.pattern(false)?];
            self.blanks();
            while self.take("|") {
                patterns.push(self.pattern(false)?);
                self.blanks();
            }
            self.want("}")?;
            return Ok(Pattern::OneOf(patterns));
        }
        Err(self.error("a reply"))
    }

    fn pairs(&mut self, is_map: bool) -> Result<Pattern, String> {
        let (pairs, open) = self.list("}", |reader| {
            let key = reader.pattern(false)?;
            reader.want(":")?;
            Ok((key, reader.pattern(false)?))
        })?;
        Ok(Pattern::Pairs {
            is_map,
            pairs,
            open,
        })
    }

    /// Items up to `close`, and whether `...` stood in the last one's place.
    fn list<T>(
        &mut self,
        close: &str,
        item: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<(Vec<T>, bool), String> {
        let mut items = Vec::new();
        self.blanks();
        if self.take(close) {
            return Ok((items, false));
        }
        loop {
            self.blanks();
            if self.take("...") {
                self.want(close)?;
                return Ok((items, true));
            }
            items.push(item(self)?);
            self.blanks();
            if self.take(close) {
                return Ok((items, false));
            }
            self.want(",")?;
        }
    }

    fn line(&mut self, kind: Text, alone: bool) -> Result<Pattern, String> {
        if self.rest().starts_with("?\"") {
            self.at += 1;
            return Ok(Pattern::Glob(kind, self.quoted()?));
        }
        let text = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.word(alone).as_bytes().to_vec()
        };
        let value = if kind == Text::Simple {
            Value::SimpleString(text)
        } else {
            Value::SimpleError(text)
        };
        Ok(Pattern::Exact(value))
    }

    fn integer(&mut self, alone: bool) -> Result<Pattern, String> {
        let word = self.word(alone);
        let pattern = match word.split_once("..") {
            Some((least, most)) => least
                .parse()
                .ok()
                .zip(most.parse().ok())
                .map(|(least, most)| Pattern::Range(least, most)),
            None => word.parse().ok().map(|n| Pattern::Exact(Value::Integer(n))),
        };
        pattern.ok_or_else(|| self.error("an integer or a range before this"))
    }

    /// Bytes between double quotes, as `escape_ascii` writes them.
    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        self.want("\"")?;
        let mut bytes = Vec::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err(self.error("a closing quote"));
            };
            self.at += next.len_utf8();
            match next {
                '"' => return Ok(bytes),
                '\\' => bytes.push(self.escape()?),
                _ => bytes.extend(next.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escape(&mut self) -> Result<u8, String> {
        let rest = self.rest();
        let (byte, length) = match rest.as_bytes() {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [byte @ (b'\\' | b'"' | b'\''), ..] => (*byte, 1),
            [b'x', ..] => {
                let digits = rest
                    .get(1..3)
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                (
                    digits.ok_or_else(|| self.error("two hexadecimal digits"))?,
                    3,
                )
            }
            _ => return Err(self.error("an escape")),
        };
        self.at += length;
        Ok(byte)
    }
}

/// Writes `value` in the notation.
pub fn notation(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, true);
    out
}

fn write_value(out: &mut String, value: &Value, alone: bool) {
    match value {
        Value::SimpleString(text) => write_line(out, '+', text, alone),
        Value::SimpleError(text) => write_line(out, '-', text, alone),
        Value::Integer(n) => _ = write!(out, ":{n}"),
        Value::BulkString(bytes) => write_quoted(out, bytes),
        Value::NullBulkString => out.push_str("nil"),
        Value::Array(elements) => write_list(out, "[", elements),
        Value::NullArray => out.push_str("nil*"),
        Value::Null => out.push('_'),
        Value::Boolean(true) => out.push_str("#t"),
        Value::Boolean(false) => out.push_str("#f"),
        Value::Double(n) if n.is_infinite() || n.is_nan() => {
            _ = write!(out, ",{}", n.to_string().to_lowercase());
        }
        Value::Double(n) => {
            let text = format!("{n:?}");
            _ = write!(out, ",{}", text.strip_suffix(".0").unwrap_or(&text));
        }
        Value::BigNumber(digits) => _ = write!(out, "({}", digits.escape_ascii()),
        Value::BulkError(text) => {
            out.push('!');
            write_quoted(out, text);
        }
        Value::VerbatimString(format, text) => {
            _ = write!(out, "={}:", format.escape_ascii());
            write_quoted(out, text);
        }
        Value::Map(pairs) => write_pairs(out, "%{", pairs),
        Value::Set(elements) => write_list(out, "~[", elements),
        Value::Push(elements) => write_list(out, ">[", elements),
        Value::Attributed(attributes, described) => {
            for pairs in attributes {
                write_pairs(out, "|{", pairs);
                out.push(' ');
            }
            write_value(out, described, false);
        }
    }
}

/// The text as it is, where nothing around it can be taken for a part of it.
fn write_line(out: &mut String, kind: char, text: &[u8], alone: bool) {
    out.push(kind);
    let escaped = text.escape_ascii().to_string();
    let is_plain = escaped.as_bytes() == text
        || escaped.replace("\\'", "'").replace("\\\"", "\"").as_bytes() == text;
    let is_delimited = !alone && text.iter().any(|byte| b",:]}|".contains(byte));
    if !is_plain
        || is_delimited
        || text.first().is_some_and(|byte| b"\"?".contains(byte))
        || text.ends_with(b" ")
    {
        write_quoted(out, text);
    } else {
        out.push_str(&String::from_utf8_lossy(text));
    }
}

fn write_quoted(out: &mut String, bytes: &[u8]) {
    _ = write!(
        out,
        "\"{}\"",
        bytes.escape_ascii().to_string().replace("\\'", "'")
    );
}

fn write_list(out: &mut String, open: &str, elements: &[Value]) {
    out.push_str(open);
    for (i, element) in elements.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        write_value(out, element, false);
    }
    out.push(']');
}

fn write_pairs(out: &mut String, open: &str, pairs: &[(Value, Value)]) {
    out.push_str(open);
    for (i, (key, value)) in pairs.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        write_value(out, key, false);
        out.push_str(": ");
        write_value(out, value, false);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::decode;

    #[track_caller]
    fn reply(bytes: &[u8]) -> Value {
        decode(bytes).expect("legal").expect("complete").0
    }

    #[test]
    fn every_type_is_written_and_read_back() {
        for (bytes, text) in [
            (b"+OK\r\n".as_slice(), "+OK"),
            (b"-ERR it's, so\r\n", "-ERR it's, so"),
            (b"*1\r\n-ERR it's, so\r\n", "[-\"ERR it's, so\"]"),
            (b"*2\r\n+OK\r\n-ERR no\r\n", "[+OK, -ERR no]"),
            (b":-3\r\n", ":-3"),
            (b"$6\r\na\"\\\r\n\xff\r\n", r#""a\"\\\r\n\xff""#),
            (b"$-1\r\n", "nil"),
            (b"*-1\r\n", "nil*"),
            (b"_\r\n", "_"),
            (b"*2\r\n#t\r\n#f\r\n", "[#t, #f]"),
            (b",1.5\r\n", ",1.5"),
            (b",3\r\n", ",3"),
            (b",1e300\r\n", ",1e300"),
            (b"*3\r\n,inf\r\n,-inf\r\n,nan\r\n", "[,inf, ,-inf, ,nan]"),
            (b"(123\r\n", "(123"),
            (b"!5\r\nERR x\r\n", "!\"ERR x\""),
            (b"=7\r\ntxt:abc\r\n", "=txt:\"abc\""),
            (b"%1\r\n$1\r\nk\r\n*0\r\n", "%{\"k\": []}"),
            (b"~1\r\n+a\r\n", "~[+a]"),
            (b">1\r\n+a\r\n", ">[+a]"),
            (b"|1\r\n+ttl\r\n:1\r\n:3\r\n", "|{+ttl: :1} :3"),
        ] {
            let value = reply(bytes);
            assert_eq!(notation(&value), text);
            assert!(
                Pattern::parse(text).is_ok_and(|pattern| pattern.matches(&value)),
                "{text}"
            );
        }
    }

    #[test]
    fn patterns_match_what_they_say_and_nothing_else() {
        let array = b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\na\r\n".as_slice();
        for (pattern, bytes, expected) in [
            (r#"?["a", "a", "b"]"#, array, true),
            (r#"["a", "a", "b"]"#, array, false),
            (r#"?["a", "b", "b"]"#, array, false),
            (r#"["a", ...]"#, array, true),
            (r#"["b", ...]"#, array, false),
            (r#"["a", "b"]"#, array, false),
            (r#"?["b", ...]"#, array, true),
            (r#"["a", any, ?"?"]"#, array, true),
            (r#"["a", any, ?"??"]"#, array, false),
            (r#"[{"x" | "a"}, "b", "a"]"#, array, true),
            (r#"~["a", "b", "a"]"#, array, false),
            (
                r#"?{"a": "b", "c": "d"}"#,
                b"*4\r\n+c\r\n+d\r\n+a\r\n+b\r\n",
                false,
            ),
            (
                r"?{+a: +b, +c: +d}",
                b"*4\r\n+c\r\n+d\r\n+a\r\n+b\r\n",
                true,
            ),
            (r"?{+a: +b, ...}", b"*4\r\n+c\r\n+d\r\n+a\r\n+b\r\n", true),
            (
                r"?{+a: +d, +c: +b}",
                b"*4\r\n+c\r\n+d\r\n+a\r\n+b\r\n",
                false,
            ),
            (
                r"%{+a: +b, +c: +d}",
                b"%2\r\n+c\r\n+d\r\n+a\r\n+b\r\n",
                true,
            ),
            (r"%{+a: +b}", b"%2\r\n+c\r\n+d\r\n+a\r\n+b\r\n", false),
            (":1..3", b":3\r\n", true),
            (":1..3", b":4\r\n", false),
            (":1..3", b"+2\r\n", false),
            (r#"+?"a*c""#, b"+abc\r\n", true),
            (r#"+?"a*c""#, b"-abc\r\n", false),
            (r#"-?"a*c""#, b"-abcd\r\n", false),
            (r#"=txt:?"*a*""#, b"=7\r\ntxt:abc\r\n", true),
            ("nil", b"*-1\r\n", false),
            ("nil*", b"$-1\r\n", false),
        ] {
            let parsed = Pattern::parse(pattern).expect(pattern);
            assert_eq!(
                parsed.matches(&reply(bytes)),
                expected,
                "{pattern} on {}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "", "x", "[", "[+a", "\"a", ":x", ":1..", "[:1 :2]", "?{+a}", "\"\\q\"", "nil x", ",x",
            "{+a", "=tx",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
