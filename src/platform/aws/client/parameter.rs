//! SSM Parameter Store's part: a policy that is kept there is read.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::{Config, Region};

use super::arn_fields;
use super::errors::told;
use crate::platform::Error;

/// A parameter's value, by its name or ARN. One that is named by an ARN is read in its own region.
pub(super) async fn read(client: &Client, name: &str) -> Result<String, Error> {
    let operation = "aws:GetParameter";
    let region = arn_fields(name).map(|[_, region, _]| Region::new(region.to_owned()));
    let sent = client
        .get_parameter()
        .name(name)
        // A policy may hold a webhook's address, which is nobody else's business; any other is read all the same.
        .with_decryption(true)
        .customize()
        .config_override(Config::builder().region(region))
        .send()
        .await;
    let found = sent.map_err(|error| told(operation, &error))?;
    let value = found.parameter.and_then(|parameter| parameter.value);
    value.ok_or_else(|| Error::NotFound {
        operation: operation.to_owned(),
        message: "the parameter has no value".to_owned(),
    })
}
