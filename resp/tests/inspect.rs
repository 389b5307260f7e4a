//! The `inspect` example, as a program: its lines to the letter, and its exit codes.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The example's binary, which `cargo test` builds along with the tests.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().expect("the test's own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join("examples/inspect")
        .with_extension(std::env::consts::EXE_EXTENSION)
}

/// What it prints and its exit code.
fn inspect(options: &[&str], input: &[u8]) -> (String, i32) {
    let mut child = Command::new(program())
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cargo test has built the example");
    // It may have stopped reading.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("its output is ASCII");
    (text, output.status.code().expect("it exits"))
}

#[track_caller]
fn prints(options: &[&str], input: impl AsRef<[u8]>, text: &str, code: i32) {
    for chunk in [&[][..], &["--chunk", "1"], &["--chunk", "3"]] {
        let options = [options, chunk].concat();
        assert_eq!(
            inspect(&options, input.as_ref()),
            (text.to_owned(), code),
            "{options:?}"
        );
    }
}

#[test]
fn a_line_for_each_frame() {
    let input = b"+OK\r\n-ERR x\r\n:42\r\n$3\r\nabc\r\n*2\r\n$1\r\na\r\n:1\r\n%1\r\n$1\r\nk\r\n:1\r\n~2\r\n:1\r\n:2\r\n\
>2\r\n$1\r\na\r\n:1\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n_\r\n$-1\r\n*-1\r\n#t\r\n,1.5\r\n,inf\r\n,-inf\r\n,nan\r\n(12\r\n\
!5\r\nERR x\r\n=7\r\ntxt:abc\r\n*0\r\n%0\r\n$4\r\n\xff\x00\"\n\r\n";
    let text = r#"simple "OK"
error "ERR x"
integer 42
bulk "abc"
array [bulk "a", integer 1]
map {bulk "k": integer 1}
set [integer 1, integer 2]
push [bulk "a", integer 1]
attribute {simple "ttl": integer 3600} integer 3
null
null bulk
null array
boolean true
double 1.5
double inf
double -inf
double nan
bignumber 12
bulkerror "ERR x"
verbatim txt "abc"
array []
map {}
bulk "\xff\x00\"\n"
"#;
    prints(&[], input, text, 0);
    prints(&[], "", "", 0);
    prints(
        &[],
        "*2\r\n$3\r\nfoo\r\n%1\r\n+a\r\n,1.5\r\n",
        "array [bulk \"foo\", map {simple \"a\": double 1.5}]\n",
        0,
    );
}

#[test]
fn an_error_ends_it() {
    prints(
        &[],
        "+OK\r\n:12a\r\n+OK\r\n",
        "simple \"OK\"\nerror at byte 8: Protocol error: invalid integer\n",
        1,
    );
}

#[test]
fn input_may_end_inside_a_frame() {
    prints(
        &[],
        "+OK\r\n*2\r\n:1\r\n",
        "simple \"OK\"\nincomplete at byte 5\n",
        2,
    );
    prints(&[], "$3\r\nab", "incomplete at byte 0\n", 2);
}

#[test]
fn requests_as_a_server_reads_them() {
    prints(
        &["--requests"],
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n\r\n*0\r\nGET \"a b\"\r\n",
        "request [\"SET\", \"k\", \"v\"]\nrequest [\"GET\", \"a b\"]\n",
        0,
    );
    prints(
        &["--requests"],
        "PING\r\n*3\r\n:1\r\n",
        "request [\"PING\"]\nerror at byte 10: Protocol error: expected '$', got ':'\n",
        1,
    );
    prints(
        &["--requests"],
        "PING\r\n*1\r\n$4\r\nPI",
        "request [\"PING\"]\nincomplete at byte 6\n",
        2,
    );
}

#[test]
fn options_that_it_does_not_have() {
    for options in [
        &["--nope"][..],
        &["--chunk"],
        &["--chunk", "0"],
        &["--chunk", "x"],
    ] {
        assert_eq!(inspect(options, b""), (String::new(), 64), "{options:?}");
    }
}
