//! Random variations of the seeds, for machines that have no fuzzer.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Names the seconds for which each law is tried; `tests/run` sets it.
const SECONDS: &str = "SERIAL_WS_FUZZ_SECONDS";

/// Tries a law with the seeds of `target`, changed at random, for as long as is asked for.
fn try_law(target: &str, law: fn(&[u8])) {
    let Ok(seconds) = std::env::var(SECONDS) else {
        return crate::support::skip("it is for tests/run --long without cargo fuzz");
    };
    let seconds = seconds.parse().expect("it is a number of seconds");
    let end = Instant::now() + Duration::from_secs(seconds);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/");
    let seeds = std::fs::read_dir(format!("{folder}{target}")).expect("there are seeds");
    let seeds = seeds.map(|seed| std::fs::read(seed.expect("there is one").path()));
    let seeds: Vec<Vec<u8>> = seeds.map(|seed| seed.expect("it can be read")).collect();
    let mut tried = 0;
    while Instant::now() < end {
        let config = Config {
            cases: 500,
            failure_persistence: None,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&input(seeds.clone()), |input| {
            law(&input);
            Ok(())
        });
        if let Err(TestError::Fail(why, input)) = outcome {
            panic!("{why}; to keep it, in fuzz/seeds/{target}: {input:?}");
        }
        tried += 500;
    }
    println!("{target}: {tried} inputs");
}

/// A seed with some parts of it or of others, or some random bytes, put over, into or out of it.
fn input(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let (seed, other) = (
        prop::sample::select(seeds.clone()),
        prop::sample::select(seeds),
    );
    let part = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..6),
        1 => (other, any::<(prop::sample::Index, prop::sample::Index)>()).prop_map(|(other, (a, b))| {
            let (a, b) = (a.index(other.len() + 1), b.index(other.len() + 1));
            other[a.min(b)..a.max(b)].to_vec()
        }),
    ];
    let change = (any::<prop::sample::Index>(), 0_usize..8, part);
    let changes = prop::collection::vec(change, 0..8);
    (seed, changes).prop_map(|(mut input, changes)| {
        for (at, removed, part) in changes {
            let at = at.index(input.len() + 1);
            let end = (at + removed).min(input.len());
            input.splice(at..end, part);
        }
        input
    })
}

/// Declares a test of each law.
macro_rules! laws {
    ($($law:ident),+) => {
        $(
            #[test]
            #[ignore = "it is for tests/run --long without cargo fuzz"]
            fn $law() {
                try_law(stringify!($law), super::$law);
            }
        )+
    };
}

laws!(config, framer, framing, frames, head, json, values);
