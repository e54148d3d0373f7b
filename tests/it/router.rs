//! One process that serves several platforms: each request goes to the platform of its target, its call or its alarm.

use std::sync::Arc;

use stepladder::address::Address;
use stepladder::outcome::Ending;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{Client, Error, Router, web};

use crate::support::{
    self, Blind, CHURN, HIGH_CPU, VARIANT, at, built_in, existing, heading, notice, reason, send,
};

/// Two platforms, each in a world of its own.
struct Two {
    oci: Arc<SimulatedCloud>,
    aws: Arc<SimulatedCloud>,
    router: Router,
}

fn two() -> Two {
    let [oci, aws] = [Arc::new(support::cloud()), Arc::new(support::cloud())];
    let router = Router::default().with("oci", oci.clone()).with("aws", aws.clone());
    Two { oci, aws, router }
}

fn denied() -> Error {
    let permission = "cloudwatch:DescribeAlarms".to_owned();
    Error::Denied { operation: "aws:DescribeAlarms".to_owned(), permission, message: "no".to_owned() }
}

#[test]
fn each_target_is_observed_and_changed_by_its_own_platform() {
    let Two { oci, aws, router } = two();
    let outcome = send(&notice(HIGH_CPU, CHURN), &router, &built_in());
    assert_eq!((outcome.result, reason(&outcome)), (Ending::Applied, "resize"));
    assert_eq!([heading(&oci, CHURN).instances, heading(&aws, CHURN).instances], [2, 1]);
    let outcome = send(&notice(HIGH_CPU, VARIANT), &router, &built_in());
    assert_eq!((outcome.result, reason(&outcome)), (Ending::Applied, "resize"));
    assert_eq!([heading(&oci, VARIANT).instances, heading(&aws, VARIANT).instances], [1, 2]);
}

#[test]
fn a_target_whose_platform_has_no_client_names_the_missing_one() {
    let router = Router::default().with("oci", Arc::new(support::cloud()));
    let outcome = send(&notice(HIGH_CPU, VARIANT), &router, &built_in());
    assert_eq!(outcome.result, Ending::Failed);
    let record = serde_json::to_string(&stepladder::report::record(&outcome)).unwrap();
    assert!(record.contains("this process has no client for `aws`"), "{record}");
}

#[tokio::test]
async fn the_active_alarms_of_all_platforms_are_listed_together() {
    let Two { oci, aws, router } = two();
    let now = at(0);
    for cloud in [&oci, &aws] {
        cloud.with(|world| world.alarms.push(existing("another-high_cpu", VARIANT, Some(5))));
    }
    let [of_oci, of_aws] =
        [oci.active_alarms(None, now).await.unwrap(), aws.active_alarms(None, now).await.unwrap()];
    assert!(!of_oci.is_empty() && !of_aws.is_empty());
    let together = router.active_alarms(None, now).await.unwrap();
    assert_eq!(together.len(), of_oci.len() + of_aws.len());
}

#[tokio::test]
async fn a_platform_that_cannot_be_read_does_not_hide_the_alarms_of_another() {
    let aws = Arc::new(support::cloud());
    let alarms = aws.active_alarms(None, at(0)).await.unwrap();
    let router = Router::default().with("oci", Arc::new(Blind(denied()))).with("aws", aws);
    assert_eq!(router.active_alarms(None, at(0)).await, Ok(alarms));
    // Where nothing else is reported, the error is.
    let router = Router::default().with("oci", Arc::new(Blind(denied())));
    assert_eq!(router.active_alarms(None, at(0)).await, Err(denied()));
}

#[tokio::test]
async fn a_webhook_is_called_by_whichever_client_there_is() {
    let cloud = Arc::new(support::cloud());
    let router = Router::default().with("aws", cloud.clone());
    let address = Address::checked("https://example.com/hook").unwrap();
    let post = web::Call::Post { address, content_type: "application/json", body: "{}".to_owned() };
    router.send(&post.into()).await.unwrap();
    assert_eq!(cloud.snapshot().messages.len(), 1);
}
