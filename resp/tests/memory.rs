//! What decoding allocates, counted: a bound by the bytes received, whatever they announce, and nothing at all once a
//! connection is under way.
//!
//! A binary of its own with one test, so that nothing else allocates meanwhile.

#![cfg(feature = "alloc")]
// A global allocator can't be had without: each call goes to the system's, with the size counted.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use resp::grammar::element;
use resp::{Decoder, Encoder, Limits, Protocol, RequestDecoder, Segments, frame_len};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let now = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every method hands its arguments to the system's allocator unchanged and returns what that returns.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may be there at once.
        grow(size);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes in use during `work`, beyond those before it.
fn peak(work: impl FnOnce()) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

/// The bytes that `work` leaves in use.
fn kept<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = IN_USE.load(Ordering::Relaxed);
    let kept = work();
    (IN_USE.load(Ordering::Relaxed) - before, kept)
}

/// The allocations that `work` makes.
fn allocations(work: impl FnOnce()) -> usize {
    let before = CALLS.load(Ordering::Relaxed);
    work();
    CALLS.load(Ordering::Relaxed) - before
}

/// A decoder's own memory, in bytes: `CONSTANT + PER_BYTE` for each byte received.
///
/// An element takes 3 bytes on the wire at least and 16 in the index, which grows by doubling and copies as it grows; an
/// open aggregate takes 12 more, and is one of 128 at most.
const CONSTANT: usize = 4096;
const PER_BYTE: usize = 20;

#[test]
fn memory_follows_what_was_received_and_not_what_was_announced() {
    hostile_frames();
    hostile_requests();
    elements_allocate_nothing();
    frames_allocate_nothing_once_under_way();
    requests_allocate_nothing_once_under_way();
    encoding_allocates_nothing_but_its_output();
    what_a_burst_took_is_given_back();
}

fn hostile_frames() {
    let shapes = [
        "*67108863\r\n".to_owned(),
        "*1000000\r\n".repeat(60),
        "%500000\r\n".repeat(60),
        "~67108863\r\n*-1\r\n".to_owned(),
        ">67108863\r\n".to_owned(),
        "|33554431\r\n".to_owned(),
        "$536870912\r\n".to_owned(),
        "=536870912\r\ntxt:".to_owned(),
        "!536870912\r\nERR".to_owned(),
        "*1\r\n".repeat(1000),
        "*?\r\n".repeat(1000),
        "%?\r\n".repeat(1000),
        "|0\r\n".repeat(1000),
        "*?\r\n".to_owned() + &"*0\r\n".repeat(5000),
        "*?\r\n".to_owned() + &"+\r\n".repeat(5000),
        "*?\r\n".to_owned() + &"*?\r\n.\r\n".repeat(2000),
        "$?\r\n".to_owned() + &";536870912\r\n".repeat(2),
        "$?\r\n".to_owned() + &";1\r\na\r\n".repeat(2000),
        "_\r\n".repeat(5000),
        "+".to_owned() + &"x".repeat(5000),
        "(".to_owned() + &"1".repeat(5000),
        "$9223372036854775807\r\n".to_owned(),
        "*2147483648\r\n".to_owned(),
    ];
    for shape in &shapes {
        let bytes = shape.as_bytes();
        for size in [1, 3, 160, usize::MAX] {
            let peak = peak(|| {
                let mut decoder = Decoder::new(Limits::client());
                read_in_pieces(bytes, size, |buffer| {
                    decoder.decode(buffer).map(|frames| frames.consumed()).ok()
                });
            });
            assert_bounded(peak, bytes, size);
        }
        for end in (1..bytes.len()).step_by(bytes.len() / 40 + 1) {
            let peak = peak(|| {
                let mut decoder = Decoder::new(Limits::client());
                let _ = decoder.decode(&bytes[..end]);
            });
            assert_bounded(peak, &bytes[..end], end);
        }
    }
}

fn hostile_requests() {
    let shapes = [
        "*2147483647\r\n".to_owned(),
        "*2147483647\r\n".to_owned() + &"$0\r\n\r\n".repeat(2000),
        "*1\r\n$536870912\r\n".to_owned(),
        "*1000000\r\n$536870912\r\nabc".to_owned(),
        "*0\r\n".repeat(3000),
        "\n".repeat(3000),
        "a\n".repeat(3000),
        "a ".repeat(3000) + "\n",
        "\"\" ".repeat(3000) + "\n",
        "\"".to_owned() + &"\\x41".repeat(3000),
        "*".to_owned() + &"1".repeat(5000),
    ];
    for shape in &shapes {
        let bytes = shape.as_bytes();
        for size in [1, 3, 160, usize::MAX] {
            let peak = peak(|| {
                let mut decoder = RequestDecoder::new(Limits::server());
                read_in_pieces(bytes, size, |buffer| {
                    decoder
                        .decode(buffer)
                        .map(|requests| requests.consumed())
                        .ok()
                });
            });
            assert_bounded(peak, bytes, size);
        }
    }
}

/// Shows the stream to `decode` as a connection does, without a buffer that would count.
fn read_in_pieces(bytes: &[u8], size: usize, mut decode: impl FnMut(&[u8]) -> Option<usize>) {
    let (mut start, mut end) = (0, 0);
    while end < bytes.len() {
        end = end.saturating_add(size).min(bytes.len());
        loop {
            match decode(&bytes[start..end]) {
                None => return,
                Some(0) => break,
                Some(consumed) => start += consumed,
            }
        }
    }
}

#[track_caller]
fn assert_bounded(peak: usize, bytes: &[u8], size: usize) {
    let bound = CONSTANT + PER_BYTE * bytes.len();
    assert!(
        peak <= bound,
        "{peak} bytes at the peak, over {bound}, for {} bytes in pieces of {size}: {}",
        bytes.len(),
        bytes[..bytes.len().min(40)].escape_ascii()
    );
}

/// Replies of every common type.
fn replies() -> Vec<u8> {
    "+OK\r\n:12345\r\n$16\r\n0123456789abcdef\r\n*3\r\n:1\r\n%1\r\n+k\r\n,1.5\r\n_\r\n|1\r\n+a\r\n:1\r\n#t\r\n"
        .repeat(200)
        .into_bytes()
}

fn pipeline() -> Vec<u8> {
    "*3\r\n$3\r\nSET\r\n$7\r\nkey:123\r\n$16\r\n0123456789abcdef\r\nGET \"key:123\"\r\n"
        .repeat(200)
        .into_bytes()
}

fn elements_allocate_nothing() {
    let bytes = replies();
    let limits = Limits::client();
    let mut count = 0;
    let calls = allocations(|| {
        let mut rest = &bytes[..];
        while let Ok((after, _)) = element(rest, &limits) {
            rest = after;
            count += 1;
        }
    });
    assert_eq!((calls, count), (0, 200 * 13));
}

fn frames_allocate_nothing_once_under_way() {
    let bytes = replies();
    for size in [1, 100, usize::MAX] {
        let mut decoder = Decoder::new(Limits::client());
        let mut sum = 0;
        let mut round = || {
            read_in_pieces(&bytes, size, |buffer| {
                let frames = decoder.decode(buffer).ok()?;
                for frame in &frames {
                    sum += frame.wire().len();
                    if let Ok(items) = frame.as_items() {
                        sum += items.filter_map(|item| item.as_i64().ok()).count();
                    }
                }
                Some(frames.consumed())
            });
        };
        round();
        assert_eq!(allocations(round), 0, "in pieces of {size}");
        assert_eq!(sum, 2 * (bytes.len() + 200));
    }
}

fn requests_allocate_nothing_once_under_way() {
    let bytes = pipeline();
    for size in [1, 100, usize::MAX] {
        let mut decoder = RequestDecoder::new(Limits::server());
        let mut sum = 0;
        let mut round = || {
            read_in_pieces(&bytes, size, |buffer| {
                let requests = decoder.decode(buffer).ok()?;
                for request in &requests {
                    sum += request.iter().map(<[u8]>::len).sum::<usize>();
                }
                Some(requests.consumed())
            });
        };
        round();
        assert_eq!(allocations(round), 0, "in pieces of {size}");
        assert_eq!(sum, 2 * 200 * (3 + 7 + 16 + 3 + 7));
    }
}

fn encoding_allocates_nothing_but_its_output() {
    let bytes = replies();
    let arguments = ["SET", "key", "value"];
    let mut decoder = Decoder::new(Limits::client());
    let frames = decoder.decode(&bytes).expect("replies");
    let mut output = Vec::with_capacity(4 * bytes.len());
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let calls = allocations(|| {
            output.clear();
            let mut encoder = Encoder::new(&mut output, protocol);
            for frame in &frames {
                encoder.frame(frame);
            }
            encoder.request(&arguments);
            encoder.double(-1.234_567_890_123_456_8e-5);
            encoder.integer(i64::MIN);
        });
        assert_eq!(calls, 0, "{protocol:?}");
        let calls = allocations(|| {
            let length: usize = frames.iter().map(|frame| frame_len(frame, protocol)).sum();
            assert!(length > 0);
        });
        assert_eq!(calls, 0, "{protocol:?}");
    }
    let large = vec![b'x'; 1 << 20];
    let peak = peak(|| {
        let mut segments = Segments::new(1024);
        Encoder::new(&mut segments, Protocol::Resp3).bulk_string(&large);
        assert_eq!(segments.len(), large.len() + 12);
    });
    assert!(peak < 1024, "{peak}");
}

/// What a decoder keeps for its next frames or requests, in elements, arguments, or bytes of inline arguments.
const KEPT: usize = 64 << 10;

fn what_a_burst_took_is_given_back() {
    let many = ":1\r\n".repeat(4 * KEPT);
    let (bytes, _decoder) = kept(|| {
        let mut decoder = Decoder::new(Limits::client());
        assert_eq!(decoder.decode(many.as_bytes()).unwrap().len(), 4 * KEPT);
        assert!(decoder.decode(b"").unwrap().is_empty());
        decoder
    });
    assert!(
        (16 * KEPT..=16 * KEPT + CONSTANT).contains(&bytes),
        "{bytes}"
    );

    let many = "*1\r\n$1\r\na\r\nb\n".repeat(2 * KEPT);
    let (bytes, _decoder) = kept(|| {
        let mut decoder = RequestDecoder::new(Limits::server());
        for _ in 0..3 {
            assert_eq!(decoder.decode(many.as_bytes()).unwrap().len(), 4 * KEPT);
        }
        assert!(decoder.decode(b"").unwrap().is_empty());
        decoder
    });
    // 8 bytes for each span, as many for each request's end, and the words.
    assert!(
        (16 * KEPT..=17 * KEPT + CONSTANT).contains(&bytes),
        "{bytes}"
    );
}
