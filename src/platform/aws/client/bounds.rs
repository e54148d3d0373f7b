//! Bounds the responses of the services: a body that does not end must not exhaust the memory of a small function.

use aws_sdk_sagemaker::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_sagemaker::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sagemaker::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// The longest body of a response, in bytes. A page of a hundred alarms is less than one megabyte, and the function has
/// 128 for everything.
const LONGEST_RESPONSE: usize = 4 << 20;

/// Fails a request whose response is longer than any genuine one.
#[derive(Debug, Clone)]
pub(super) struct BoundedResponses;

impl Intercept for BoundedResponses {
    fn name(&self) -> &'static str {
        "BoundedResponses"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, LONGEST_RESPONSE));
        Ok(())
    }
}

/// The client of one service, with bounded responses.
macro_rules! bounded {
    ($sdk:ident, $config:expr) => {{
        let config = $sdk::config::Builder::from($config)
            .interceptor($crate::platform::aws::client::bounds::BoundedResponses);
        $sdk::Client::from_conf(config.build())
    }};
}
pub(super) use bounded;
