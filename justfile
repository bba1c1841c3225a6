# What continuous integration runs, and the rest of daily work. `just` alone lists the recipes.

_list:
    @just --list --unsorted

# every test (also the README's second command)
test:
    cargo xtask test

# formats the code; CI checks it with --check
fmt:
    cargo fmt --all

# lints, warnings denied
clippy:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --package pqc-core --no-default-features -- -D warnings

# documentation, warnings denied
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# dependencies: bans, licences, sources
deny:
    cargo deny check --hide-inclusion-graph bans licenses sources

# dependencies: known vulnerabilities (needs the network)
advisories:
    cargo deny check advisories

# all that CI runs
ci:
    cargo xtask ci

# the core with no feature, each and all; without the standard library
features:
    cargo xtask features

# the lines of the core that its tests run (needs cargo-llvm-cov)
coverage:
    cargo xtask coverage

# the core's operations on secrets under valgrind (needs valgrind and libclang)
ct:
    cargo xtask ct

# every fuzz target, for some seconds each (needs cargo-fuzz and g++)
fuzz *options:
    cargo xtask fuzz {{ options }}

# a server on http://127.0.0.1:8000, its data in ./pqc-data
serve *options:
    cargo run --release -- serve {{ options }}

# a receiver and a sender, played on a temporary server
demo:
    cargo run --release -- demo

# instructions of operations and requests, compared with those kept (needs valgrind)
instructions *options:
    cargo xtask instructions {{ options }}

# the server against a bare one and a Python one; writes docs/benchmarks.md (needs wrk)
load *options:
    cargo xtask load {{ options }}

# the pictures of the dashboard in docs/screenshots (needs Chromium and its driver)
screenshots:
    cargo xtask screenshots

# servers killed, databases stopped, disks filled, under load
torture *options:
    cargo xtask torture {{ options }}

# the core's benchmarks
bench *options:
    cargo bench --package pqc-benches --bench core -- {{ options }}

# what the store costs: uses, tokens, keys
bench-store *parts:
    cargo build --release && cargo bench --package pqc-benches --bench store -- {{ parts }}
