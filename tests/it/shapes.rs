//! `stepladder shapes`: its filters, and the place of a shape on its ladder.

use rstest::rstest;
use serde_json::Value;

use crate::cli::run;

fn shapes(line: &str) -> crate::cli::Ran {
    run(&["shapes"].into_iter().chain(line.split_whitespace()).collect::<Vec<_>>())
}

#[rstest]
#[case::filtered("shapes-filtered", "ml.g5 --vcpus 8.. --memory ..128 --max-price 3")]
#[case::no_gpu("shapes-flexible", "VM.Standard.E4 --vcpus 4..8 --gpus 0")]
#[case::lowest("shapes-lowest", "ml.m5.large --vcpus ..8")]
#[case::highest("shapes-highest", "VM.Standard2.24 --vcpus 48..")]
#[case::flexible_size("shapes-flexible-size", "VM.Standard.E4.Flex:2:32")]
#[case::json("shapes-filtered-json", "ml.g5.2xlarge --gpus 1 --max-price 2 --format json")]
#[case::nothing("shapes-nothing", "ml.m5 --gpus 1..")]
#[case::nothing_json("shapes-nothing-json", "ml.m5 --gpus 1.. --format json")]
#[case::no_range("shapes-no-range", "--vcpus 8-16")]
fn what_the_user_sees(#[case] name: &str, #[case] line: &str) {
    insta::assert_snapshot!(name, shapes(line).to_string());
}

/// The shapes that pass.
fn kept(line: &str) -> Vec<String> {
    let value = shapes(&format!("{line} --format json")).json();
    let ladders = value["ladders"].as_array().unwrap().iter();
    let rungs = ladders.flat_map(|ladder| ladder["rungs"].as_array().unwrap());
    let name = |of: &Value| of["shape"].as_str().unwrap().to_owned();
    rungs.chain(value["flexible"].as_array().unwrap()).map(name).collect()
}

#[rstest]
#[case::exactly("VM.Standard2 --vcpus 8", &["VM.Standard2.4"])]
#[case::at_least("VM.Standard2 --vcpus 16..", &["VM.Standard2.8", "VM.Standard2.16", "VM.Standard2.24"])]
#[case::at_most("VM.Standard2 --vcpus ..4", &["VM.Standard2.1", "VM.Standard2.2"])]
// Both ends belong to it.
#[case::between("VM.Standard2 --memory 30..60", &["VM.Standard2.2", "VM.Standard2.4"])]
#[case::both("VM.Standard2 --vcpus 4.. --memory ..60", &["VM.Standard2.2", "VM.Standard2.4"])]
// A flexible shape passes if one of its sizes does.
#[case::flexible("VM.Standard.E4.Flex --vcpus 8", &["VM.Standard.E4.Flex"])]
fn a_filter_keeps_what_offers_that(#[case] line: &str, #[case] expected: &[&str]) {
    assert_eq!(kept(line), expected);
}

#[rstest]
#[case::backwards("16..8")]
#[case::open("..")]
#[case::negative("-1")]
#[case::word("many")]
#[case::nan("nan")]
#[case::infinite("inf")]
fn what_is_no_range_is_refused(#[case] range: &str) {
    let ran = run(&["shapes", &format!("--vcpus={range}")]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
    assert!(ran.err.contains("expected a range such as `8`, `8..`, `..16` or `8..16`"), "{ran}");
}

#[test]
fn a_shape_without_a_price_is_not_cheap() {
    assert!(kept("--max-price 1000000").len() < kept("").len());
    assert!(!kept("--max-price 0.2").is_empty());
}
