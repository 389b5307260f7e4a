//! What no parser can do without: finding where each element ends, and copying bytes.
//!
//! The scan knows no limits, no nesting, no resuming and no error but "not this"; it keeps nothing of what it saw.
//! It reads lengths digit by digit and checks every byte that it doesn't skip as payload.

/// Elements up to the end of `wire`, headers of aggregates included; nothing if it meets anything unusual.
pub(crate) fn scan(wire: &[u8]) -> Option<usize> {
    let mut elements = 0;
    let mut rest = wire;
    while let [kind, after @ ..] = rest {
        rest = match kind {
            b'$' => {
                let (length, after) = number(after)?;
                let (_payload, after) = after.split_at_checked(length)?;
                after.strip_prefix(b"\r\n")?
            }
            b':' | b'*' | b'%' => number(after)?.1,
            b'+' => line(after)?,
            _ => return None,
        };
        elements += 1;
    }
    Some(elements)
}

fn number(input: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    let mut rest = input;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value
            .wrapping_mul(10)
            .wrapping_add(usize::from(digit - b'0'));
        rest = after;
    }
    Some((value, rest.strip_prefix(b"\r\n")?))
}

fn line(input: &[u8]) -> Option<&[u8]> {
    let end = input.iter().position(|byte| *byte == b'\r')?;
    input[end..].strip_prefix(b"\r\n")
}
