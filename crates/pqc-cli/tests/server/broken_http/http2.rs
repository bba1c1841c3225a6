//! HTTP/2, frame by frame (RFC 9113): a right request, and frames that are wrong.

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as literals that are not indexed (RFC 7541, Section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "its length is one byte");
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

fn start() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// A POST on a connection of its own.
pub(super) fn post(path: &str, host: &str, token: &str, id: &str, body: &str) -> Vec<u8> {
    let fields = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", host),
        ("authorization", &format!("Bearer {token}")),
        ("x-request-id", id),
        ("content-type", "application/json"),
    ]);
    let head = frame(HEADERS, END_HEADERS, 1, &fields);
    [start(), head, frame(DATA, END_STREAM, 1, body.as_bytes())].concat()
}

fn get() -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/healthz"),
        (":authority", "localhost"),
    ])
}

/// So many requests, each taken back at once.
fn reset(streams: u32) -> Vec<u8> {
    let one = |n| {
        let stream = 2 * n + 1;
        let taken_back = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        [frame(HEADERS, END_HEADERS | END_STREAM, stream, &get()), taken_back].concat()
    };
    (0..streams).flat_map(one).collect()
}

/// The same, on a connection of its own.
pub(super) fn resets(streams: u32) -> Vec<u8> {
    [start(), reset(streams)].concat()
}

/// The heads of so many calls without a token, each of so many headers of 120 bytes; with their ends,
/// or with bodies that are to come.
pub(super) fn heads(streams: u32, headers: usize, are_whole: bool) -> Vec<u8> {
    let flags = if are_whole { END_HEADERS | END_STREAM } else { END_HEADERS };
    let padding = "x".repeat(119);
    let mut fields = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/api/aes/encrypt_text"),
        (":authority", "localhost"),
        ("content-type", "application/json"),
    ];
    fields.extend(std::iter::repeat_n(("x", &*padding), headers));
    let head = |n| frame(HEADERS, flags, 2 * n + 1, &block(&fields));
    [start(), (0..streams).flat_map(head).collect()].concat()
}

/// The codes of the errors with which a server ended a connection (RFC 9113, Section 6.8).
pub(super) fn goodbyes(mut said: &[u8]) -> Vec<u32> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
    let mut codes = Vec::new();
    while let Some((head, rest)) = said.split_at_checked(9) {
        let Some((payload, rest)) = rest.split_at_checked(number(&head[..3]) as usize) else {
            break;
        };
        if head[3] == GOAWAY {
            codes.push(number(&payload[4..8]));
        }
        said = rest;
    }
    codes
}

/// Connections that break the rules.
pub(super) fn broken() -> Vec<Vec<u8>> {
    let get = get();
    let whole = END_HEADERS | END_STREAM;
    let flood: Vec<u8> =
        (0..2000).flat_map(|_| frame(CONTINUATION, 0, 1, &block(&[("x", "y")]))).collect();
    let pings: Vec<u8> = (0..20_000).flat_map(|_| frame(PING, 0, 0, &[0; 8])).collect();
    let settings: Vec<u8> = (0..20_000).flat_map(|_| frame(SETTINGS, 0, 0, &[])).collect();
    let streams: Vec<u8> =
        (0..500_u32).flat_map(|n| frame(HEADERS, END_HEADERS, 2 * n + 1, &get)).collect();
    let frames: Vec<Vec<u8>> = vec![
        // Sizes.
        frame(SETTINGS, 0, 0, &[0; 5]),
        frame(SETTINGS, 1, 0, &[0; 6]),
        frame(PING, 0, 0, &[0; 7]),
        frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
        frame(RST_STREAM, 0, 1, &[0; 3]),
        frame(PRIORITY, 0, 1, &[0; 4]),
        frame(GOAWAY, 0, 0, &[0; 7]),
        frame(DATA, 0, 1, &[0; 20_000]),
        vec![0xff, 0xff, 0xff, HEADERS, whole, 0, 0, 0, 1],
        // Streams that may not have it, or are not there.
        frame(SETTINGS, 0, 1, &[]),
        frame(PING, 0, 1, &[0; 8]),
        frame(HEADERS, whole, 0, &get),
        frame(HEADERS, whole, 2, &get),
        frame(DATA, END_STREAM, 0, b"x"),
        frame(DATA, END_STREAM, 7, b"x"),
        frame(RST_STREAM, 0, 9, &[0; 4]),
        frame(CONTINUATION, END_HEADERS, 1, &get),
        frame(PUSH_PROMISE, END_HEADERS, 1, &get),
        [frame(HEADERS, whole, 5, &get), frame(HEADERS, whole, 3, &get)].concat(),
        [frame(HEADERS, whole, 1, &get), frame(HEADERS, whole, 1, &get)].concat(),
        [frame(HEADERS, 0, 1, &get), frame(PING, 0, 0, &[0; 8])].concat(),
        [frame(HEADERS, whole, 1, &get), frame(DATA, END_STREAM, 1, b"x")].concat(),
        // Values.
        frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2),
        frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
        frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]),
        frame(HEADERS, whole | 8, 1, &[200]),
        // Heads.
        frame(HEADERS, whole, 1, &[0xff; 50]),
        frame(HEADERS, whole, 1, &[0x3f, 0xff, 0xff, 0xff, 0xff, 0xff]),
        frame(HEADERS, whole, 1, &[0x80]),
        frame(HEADERS, whole, 1, &block(&[(":method", "GET")])),
        frame(HEADERS, whole, 1, &[get.clone(), block(&[(":path", "/other")])].concat()),
        frame(HEADERS, whole, 1, &[block(&[("x", "y")]), get.clone()].concat()),
        frame(HEADERS, whole, 1, &[get.clone(), block(&[("Upper", "y")])].concat()),
        frame(HEADERS, whole, 1, &[get.clone(), block(&[("connection", "close")])].concat()),
        frame(
            HEADERS,
            whole,
            1,
            &[get.clone(), block(&[("transfer-encoding", "chunked")])].concat(),
        ),
        frame(HEADERS, whole, 1, &[get.clone(), block(&[("x", "a\r\nb: c")])].concat()),
        frame(HEADERS, whole, 1, &[get.clone(), block(&[("content-length", "5")])].concat()),
        [
            frame(
                HEADERS,
                END_HEADERS,
                1,
                &[get.clone(), block(&[("content-length", "1")])].concat(),
            ),
            frame(DATA, END_STREAM, 1, b"xyz"),
        ]
        .concat(),
        // Floods.
        reset(2000),
        [frame(HEADERS, END_STREAM, 1, &get), flood].concat(),
        pings,
        settings,
        streams,
        // No frames.
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xa5; 5000],
    ];
    let mut all: Vec<_> = frames.iter().map(|frames| [start(), frames.clone()].concat()).collect();
    // Without the settings that come first, and with a broken preface.
    all.push([PREFACE, &frame(HEADERS, whole, 1, &get)].concat());
    all
}
