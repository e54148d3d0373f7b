//! Requests and answers as JSON documents, past the client's own types: what is copied from one resource to
//! another keeps the members that this version of the client has never heard of.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sagemaker::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_sagemaker::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sagemaker::error::BoxError;
use serde_json::Value;

/// Keeps the answer to one request as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer(Arc<Mutex<Value>>);

impl Answer {
    /// The document; null before there is one.
    pub(super) fn take(&self) -> Value {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Answer {
    fn name(&self) -> &'static str {
        "Answer"
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

/// Puts a document in the place of a request's body; signed after that.
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
