//! Maps errors of the AWS SDK to platform errors.
//!
//! SageMaker models few of its errors. Most are a `ValidationException`, whose message identifies the cause.

use aws_sdk_sagemaker::config::http::HttpResponse;
use aws_sdk_sagemaker::error::{ProvideErrorMetadata, SdkError};

use crate::platform;
use crate::platform::Error;
use crate::text::{chain, of_service};

/// The codes for throttling, which differ between the services' protocols.
const THROTTLING: [&str; 7] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ConcurrentUpdateException",
    "RequestThrottled",
];

/// The codes for a missing permission or an invalid identity.
const DENIED: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredToken",
    "ExpiredTokenException",
    "SignatureDoesNotMatch",
];

/// The codes for an exceeded quota.
const OVER_QUOTA: [&str; 3] = ["ResourceLimitExceeded", "LimitExceeded", "LimitExceededException"];

/// The codes for a resource that does not exist.
const NOT_FOUND: [&str; 5] = [
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ObjectNotFoundException",
    "ParameterNotFound",
    "ParameterVersionNotFound",
];

/// The beginnings of SageMaker's messages about a resource that does not exist.
const MISSING: [&str; 2] = ["Could not find", "Resource does not exist"];

/// Maps an error of any of the services.
pub(super) fn service_error<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let name = operation.to_owned();
    let Some(answer) = error.as_service_error() else {
        return transport_error(name, error);
    };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    read(operation, answer.code().unwrap_or_default(), answer.message().unwrap_or_default(), status)
}

/// Maps an error without a response: a timeout, a broken connection, or a missing region or credentials.
fn transport_error<E>(operation: String, error: &SdkError<E, HttpResponse>) -> Error
where
    E: std::error::Error + 'static,
{
    let message = of_service(&chain(error));
    let unconfigured = ["Missing Region", "credential", "no providers in chain"];
    let never_sent = matches!(error, SdkError::ConstructionFailure(_));
    if never_sent || unconfigured.iter().any(|sign| message.contains(sign)) {
        Error::Unconfigured { operation, message }
    } else {
        Error::Unavailable { operation, message }
    }
}

fn read(operation: &'static str, code: &str, text: &str, status: u16) -> Error {
    let name = operation.to_owned();
    let message = if code.is_empty() { format!("HTTP {status} {text}") } else { format!("{code}: {text}") };
    let message = of_service(&message);
    let is = |codes: &[&str]| codes.contains(&code);
    if is(&THROTTLING) || status == 429 {
        Error::Throttled { operation: name, message }
    } else if status >= 500 {
        Error::Unavailable { operation: name, message }
    } else if is(&DENIED) || status == 403 {
        Error::Denied { operation: name, permission: platform::permission(operation).to_owned(), message }
    } else if is(&OVER_QUOTA) {
        Error::OverQuota { operation: name, message }
    } else if is(&NOT_FOUND) || MISSING.iter().any(|start| text.starts_with(start)) {
        Error::NotFound { operation: name, message }
    } else if text.starts_with("Cannot update in-progress endpoint") {
        Error::InProgress { operation: name, message }
    } else {
        Error::Refused { operation: name, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classified() {
        let update = "aws:UpdateEndpointWeightsAndCapacities";
        let rows = [
            // SageMaker answers throttling with 400
            ("ThrottlingException", "Rate exceeded", 400, "throttled"),
            // 429 is throttling, whatever the code
            ("", "", 429, "throttled"),
            // a failing service is worth a retry
            ("InternalFailure", "", 500, "unavailable"),
            ("ServiceUnavailable", "", 503, "unavailable"),
            ("AccessDeniedException", "User is not authorized", 400, "denied"),
            ("ResourceLimitExceeded", "The account-level service limit", 400, "over_quota"),
            // SageMaker has no typed not-found
            ("ValidationException", "Could not find endpoint \"arn\".", 400, "not_found"),
            // nor has its tagging
            ("ValidationException", "Resource does not exist.", 400, "not_found"),
            // Parameter Store has no message
            ("ParameterNotFound", "", 400, "not_found"),
            ("ValidationException", "Cannot update in-progress endpoint \"arn\".", 400, "in_progress"),
            ("ValidationException", "1 validation error detected", 400, "refused"),
        ];
        for (code, text, status, kind) in rows {
            assert_eq!(read(update, code, text, status).kind(), kind, "{code} {text} {status}");
        }
    }

    #[test]
    fn a_credential_that_an_endpoint_repeats_is_masked() {
        let token = "IQoJb3JpZ2luX2VjEJr0123456789abcdefGHIJKLMNOPQRSTUVWXYZ";
        let text = format!("The canonical string should have been 'POST x-amz-security-token:{token}'");
        let error = read("aws:DescribeEndpoint", "SignatureDoesNotMatch", &text, 403).to_string();
        assert!(error.contains("SignatureDoesNotMatch") && !error.contains(token), "{error}");
    }

    #[test]
    fn a_denial_names_the_permission() {
        let hint = |operation| read(operation, "AccessDenied", "no", 403).hint();
        assert_eq!(hint("aws:DescribeAlarms").as_deref(), Some("allow `cloudwatch:DescribeAlarms`"));
        assert_eq!(hint("aws:GetParameter").as_deref(), Some("allow `ssm:GetParameter`"));
    }
}
