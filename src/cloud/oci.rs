//! OCI: Data Science model deployments and Monitoring alarms, over plain signed HTTP.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Cloud, Error};
use crate::call::Call;
use crate::decide::Question;
use crate::deployment::Deployment;
use crate::repeat::Standing;

mod identity;
mod signature;

/// The region and the identity that the environment names.
#[derive(Debug, Default)]
pub struct OciCloud {}

impl OciCloud {
    fn unconfigured(operation: &str) -> Error {
        Error::Unconfigured { operation: operation.to_owned(), message: "there is no client yet".to_owned() }
    }
}

#[async_trait]
impl Cloud for OciCloud {
    async fn observe(&self, _question: &Question<'_>) -> Result<Deployment, Error> {
        Err(Self::unconfigured("oci:GetModelDeployment"))
    }

    async fn standing(&self, _action: Option<&str>, _now: Timestamp) -> Result<Vec<Standing>, Error> {
        Ok(Vec::new())
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        Err(Self::unconfigured(call.operation()))
    }
}
