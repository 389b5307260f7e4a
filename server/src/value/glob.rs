//! Glob patterns, as KEYS, SCAN, PSUBSCRIBE and CONFIG GET read them.

/// Whether `text` matches `pattern`: `*` is any bytes, `?` one byte, `[a-z_]` one of a class, `[^a-z]`
/// one of none, and a backslash makes the next byte stand for itself.
///
/// An unclosed class ends with the pattern, a range may be given backwards, and a backslash at the
/// end stands for itself. As in Redis, only the empty pattern matches the empty text, and nothing
/// matches what stands behind a thousand stars. Takes time in proportion to the product of both
/// lengths at worst, and no memory.
///
/// ```
/// use server::value::glob::matches;
///
/// assert!(matches(b"user:[0-9]*", b"user:42"));
/// assert!(!matches(b"user:[^0-9]*", b"user:42"));
/// ```
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_folded(pattern, text, |byte| byte)
}

/// [`matches()`] when the case of ASCII letters does not count.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_folded(pattern, text, |byte| byte.to_ascii_lowercase())
}

/// Redis gives up at so many nested calls, one for each star.
const MAX_STARS: usize = 1000;

fn matches_folded(pattern: &[u8], text: &[u8], fold: impl Fn(u8) -> u8) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut pattern, mut text) = (pattern, text);
    // What is behind the last star, and the text the star has not taken. Should that fail to
    // match, the star takes one byte more. No earlier star needs to: the last one can take whatever
    // an earlier one would.
    let mut star: Option<(&[u8], &[u8])> = None;
    let mut stars = 0;
    loop {
        if let [b'*', behind @ ..] = pattern {
            stars += usize::from(!matches!(behind, [] | [b'*', ..]));
            if stars > MAX_STARS {
                return false;
            }
            star = Some((behind, text));
            pattern = behind;
            continue;
        }
        if text.is_empty() && pattern.is_empty() {
            return true;
        }
        let behind = text
            .first()
            .and_then(|byte| match_byte(pattern, *byte, &fold));
        if let Some(behind) = behind {
            (pattern, text) = (behind, &text[1..]);
        } else if let Some((behind, [_, rest @ ..])) = star {
            star = Some((behind, rest));
            (pattern, text) = (behind, rest);
        } else {
            return false;
        }
    }
}

/// Matches one byte of text; returns the pattern behind what matched it.
fn match_byte<'a>(pattern: &'a [u8], byte: u8, fold: &impl Fn(u8) -> u8) -> Option<&'a [u8]> {
    let (literal, behind) = match pattern {
        [b'?', behind @ ..] => return Some(behind),
        [b'[', b'^', class @ ..] => {
            let (found, behind) = match_class(class, byte, fold);
            return (!found).then_some(behind);
        }
        [b'[', class @ ..] => {
            let (found, behind) = match_class(class, byte, fold);
            return found.then_some(behind);
        }
        [b'\\', literal, behind @ ..] | [literal, behind @ ..] => (*literal, behind),
        [] => return None,
    };
    (fold(literal) == fold(byte)).then_some(behind)
}

/// Whether a byte is in a class, and the pattern behind the class. The end of a range may be any byte,
/// the closing bracket too.
fn match_class<'a>(class: &'a [u8], byte: u8, fold: &impl Fn(u8) -> u8) -> (bool, &'a [u8]) {
    let (mut class, mut found) = (class, false);
    loop {
        match class {
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                class = rest;
            }
            [b']', behind @ ..] => return (found, behind),
            [start, b'-', end, rest @ ..] => {
                let (low, high) = (start.min(end), start.max(end));
                found |= (fold(*low)..=fold(*high)).contains(&fold(byte));
                class = rest;
            }
            [literal, rest @ ..] => {
                found |= fold(*literal) == fold(byte);
                class = rest;
            }
            [] => return (found, class),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{match_byte, matches, matches_ignore_case};

    #[test]
    fn gives_up_behind_a_thousand_stars() {
        let text = [b'a'; 1100];
        assert!(matches(&b"*?".repeat(1000), &text));
        assert!(matches(&[&b"*?".repeat(1000)[..], b"**"].concat(), &text));
        assert!(!matches(&b"*?".repeat(1001), &text));
    }

    #[test]
    fn matches_as_redis_does() {
        let cases: [(&str, &str, bool); 33] = [
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("*", "a", true),
            ("a*", "a", true),
            ("a**", "a", true),
            ("a?", "a", false),
            ("h?llo", "hello", true),
            ("h*llo", "hllo", true),
            ("h*llo", "heeeello", true),
            ("h*llo", "heeeell", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("[a-]", "a", true),
            ("[a-]", "]", true),
            ("[a-]", "-", false),
            ("[abc", "c", true),
            ("[^", "c", true),
            ("[", "[", false),
            ("[]a]", "a", false),
            ("[\\]]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("*a*b*c", "xxaxxbxxcxc", true),
            ("*a*b*c", "xxaxxbxxcxd", false),
            ("*[0-9]", "abc1", true),
            ("*?", "a", true),
            ("foo*", "FOObar", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(matches_ignore_case(b"MAX[a-c]*", b"maxBytes"));
        assert!(!matches_ignore_case(b"MAX[a-c]*", b"maxdytes"));
    }

    #[test]
    fn many_stars_take_no_more_than_the_product_of_the_lengths() {
        let pattern = [b"a*".repeat(1000), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &b"a".repeat(20_000)));
    }

    /// Every way to divide the text, at a cost that is exponential.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', behind @ ..] => (0..=text.len()).any(|from| naive(behind, &text[from..])),
            _ => text.split_first().is_some_and(|(byte, rest)| {
                match_byte(pattern, *byte, &|byte| byte).is_some_and(|behind| naive(behind, rest))
            }),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_trying_everything(
            pattern in "[ab*?\\[\\]^\\\\-]{0,10}", text in "[ab\\]-]{1,10}",
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), naive(pattern, text));
        }
    }
}
