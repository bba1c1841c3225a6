//! How often a request allocates, and how much: a ceiling that a needless copy breaks. Only what the
//! request's own thread asks for is counted, not what the store's does.

use crate::request;

/// By case: allocations, and bytes; a twentieth above what they are, so that a copy of a body (13 KB)
/// is too much.
const CEILINGS: [(&str, u64, u64); 5] = [
    ("request/encapsulate", 118, 84_500),
    ("request/encapsulate-anew", 127, 100_500),
    ("request/encapsulate-spending", 174, 92_000),
    ("request/sign-anew", 215, 94_500),
    ("request/sign", 207, 84_000),
];

/// Signing takes as many attempts as chance has it, so the mean of some requests.
const REQUESTS: u64 = 20;

#[test]
fn a_request_stays_below_its_ceiling_of_allocations() {
    let mut above = Vec::new();
    for case in request::cases() {
        let name = case.name.clone();
        let (_, most, most_bytes) = CEILINGS.iter().find(|(of, ..)| *of == name).unwrap();
        let mut request = case.set_up();
        // What the first one keeps for the others is no cost of theirs.
        request();
        let counted = allocation_counter::measure(|| (0..REQUESTS).for_each(|_| request()));
        let (count, bytes) = (counted.count_total / REQUESTS, counted.bytes_total / REQUESTS);
        println!("{name}: {count} allocations, {bytes} bytes");
        if count > *most || bytes > *most_bytes {
            above.push(format!("{name}: {count} allocations of {most}, {bytes} B of {most_bytes}"));
        }
    }
    assert!(above.is_empty(), "{}", above.join("\n"));
}
