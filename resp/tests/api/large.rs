//! Buffers beyond the 4 GiB that the decoders' 32-bit offsets reach in one call.
//!
//! Only where fresh memory is zero and takes no room until it is written to.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use resp::{Decoder, Limits, RequestDecoder};

/// The bulk string that comes first; 66 bytes more are within reach.
const FIRST: usize = u32::MAX as usize - 66;

/// The first bulk string, all zeros, with `before` in front of it, and what follows it, which begins within reach.
fn buffer(before: &str, after: &str) -> Vec<u8> {
    let payload = FIRST - before.len() - "$4294967000\r\n\r\n".len();
    let header = format!("{before}${payload}\r\n");
    let mut buffer = vec![0; FIRST + after.len()];
    buffer[..header.len()].copy_from_slice(header.as_bytes());
    buffer[FIRST - 2..FIRST].copy_from_slice(b"\r\n");
    buffer[FIRST..].copy_from_slice(after.as_bytes());
    buffer
}

fn unlimited() -> Limits {
    Limits {
        bulk_bytes: usize::MAX,
        frame_bytes: usize::MAX,
        ..Limits::client()
    }
}

#[test]
fn what_lies_beyond_the_reach_of_one_call_comes_with_the_next() {
    let long = "x".repeat(100);
    let bulk = format!("*2\r\n:1\r\n$100\r\n{long}\r\n+OK\r\n");
    let line = format!("+{long}\r\n+OK\r\n");
    let scalars = "+OK\r\n".repeat(20);
    for (after, within, beyond) in [(&bulk, 0, 2), (&line, 0, 2), (&scalars, 13, 7)] {
        let buffer = buffer("", after);
        let mut decoder = Decoder::new(unlimited());
        let frames = decoder.decode(&buffer).unwrap();
        assert_eq!(frames.len(), 1 + within);
        assert_eq!(frames.iter().next().unwrap().wire().len(), FIRST);
        let consumed = frames.consumed();
        assert_eq!(consumed, FIRST + 5 * within);
        let frames = decoder.decode(&buffer[consumed..]).unwrap();
        assert_eq!(frames.len(), beyond);
        assert_eq!(frames.consumed(), buffer.len() - consumed);
        assert_eq!(frames.iter().last().unwrap().as_str().unwrap(), "OK");
        let offset = decoder.offset();
        assert_eq!(offset, buffer.len() as u64);
    }

    let bulk = format!("*1\r\n$100\r\n{long}\r\nOK\r\n");
    let line = format!("{long}\r\nOK\r\n");
    for after in [&bulk, &line] {
        let buffer = buffer("*1\r\n", after);
        let mut decoder = RequestDecoder::new(unlimited());
        let requests = decoder.decode(&buffer).unwrap();
        assert_eq!((requests.len(), requests.consumed()), (1, FIRST));
        let requests = decoder.decode(&buffer[FIRST..]).unwrap();
        assert_eq!(format!("{requests:?}"), format!(r#"[["{long}"], ["OK"]]"#));
        assert_eq!(decoder.offset(), buffer.len() as u64);
    }
}
