//! Reads a policy from SSM Parameter Store.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::{Config, Region};

use super::arn_fields;
use super::errors::service_error;
use crate::platform::Error;

/// The value of a parameter, by its name or ARN. An ARN is read in its own region.
pub(super) async fn read(client: &Client, name: &str) -> Result<String, Error> {
    let operation = "aws:GetParameter";
    let region = arn_fields(name).map(|[_, region, _]| Region::new(region.to_owned()));
    let sent = client
        .get_parameter()
        .name(name)
        // A policy may hold the secret URL of a webhook, so the parameter may be encrypted. Plain ones are unaffected.
        .with_decryption(true)
        .customize()
        .config_override(Config::builder().region(region))
        .send()
        .await;
    let found = sent.map_err(|error| service_error(operation, &error))?;
    let value = found.parameter.and_then(|parameter| parameter.value);
    value.ok_or_else(|| Error::NotFound {
        operation: operation.to_owned(),
        message: "the parameter has no value".to_owned(),
    })
}
