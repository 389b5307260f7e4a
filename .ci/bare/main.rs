//! Reads elements without std, without an allocator, without an operating system: what links here needs none of them.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use resp::Limits;
use resp::grammar::{Element, element};

/// Adds the integers of a stream up to its end, or to what is no element.
fn sum(mut input: &[u8]) -> i64 {
    let limits = Limits::client();
    let mut sum = 0_i64;
    while let Ok((rest, element)) = element(input, &limits) {
        if let Element::Integer(integer) = element {
            sum = sum.wrapping_add(integer);
        }
        input = rest;
    }
    sum
}

// Safe: no other item here or in the standard crates has this name, which the linker starts from.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(sum(black_box(b"*3\r\n:1\r\n:20\r\n%1\r\n+k\r\n,1.5\r\n")));
    loop {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
