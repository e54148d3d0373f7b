//! Requests and responses as JSON documents instead of the SDK's types.
//!
//! A resource that is copied this way keeps members which this version of the SDK does not know.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sagemaker::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_sagemaker::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sagemaker::error::BoxError;
use serde_json::Value;

/// Captures the body of the response to one request.
#[derive(Debug, Clone, Default)]
pub(super) struct RawResponse(Arc<Mutex<Value>>);

impl RawResponse {
    /// Takes the document; null before there is a response.
    pub(super) fn take(&self) -> Value {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for RawResponse {
    fn name(&self) -> &'static str {
        "RawResponse"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(bytes) = context.response().body().bytes() {
            let document = serde_json::from_slice(bytes).unwrap_or_default();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = document;
        }
        Ok(())
    }
}

/// Replaces the body of a request with a document, before the request is signed.
macro_rules! sent_as {
    ($operation:expr, $document:expr) => {{
        let text = $document.to_string();
        $operation.customize().mutate_request(move |request| {
            request.headers_mut().insert("content-length", text.len().to_string());
            *request.body_mut() = text.clone().into();
        })
    }};
}
pub(super) use sent_as;
