//! Maps error responses of OCI to platform errors.
//!
//! See <https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm>.

use crate::platform;
use crate::platform::Error;
use crate::text::of_service;

/// The codes for exceeded quotas and service limits.
const OVER_QUOTA: [&str; 4] = ["LimitExceeded", "QuotaExceeded", "TooManyResources", "OutOfHostCapacity"];

/// The codes for a lock on the resource, which lasts only moments.
const LOCKED: [&str; 2] = ["LockConflict", "ExternalServerIncorrectState"];

/// Maps an error response.
pub(super) fn read(operation: &'static str, status: u16, code: &str, text: &str) -> Error {
    let name = operation.to_owned();
    let message = match (code, text) {
        ("", "") => format!("HTTP {status}"),
        ("", text) => format!("HTTP {status}: {text}"),
        (code, "") => format!("{status} {code}"),
        (code, text) => format!("{status} {code}: {text}"),
    };
    let message = of_service(&message);
    let permission = || platform::permission(operation).to_owned();
    match (status, code) {
        (429, _) => Error::Throttled { operation: name, message },
        (409, code) if LOCKED.contains(&code) => Error::Unavailable { operation: name, message },
        (409, "IncorrectState") => Error::InProgress { operation: name, message },
        (412, _) => Error::LostRace { operation: name, message },
        (_, code) if OVER_QUOTA.contains(&code) => Error::OverQuota { operation: name, message },
        (500 | 502.., _) => Error::Unavailable { operation: name, message },
        // OCI hides a resource that the caller may not read.
        (404, _) => Error::Hidden { operation: name, hint: hint(&permission()), message },
        (403, _) => Error::Denied { operation: name, permission: permission(), message },
        // Not a missing permission: the signature is invalid.
        (401, _) => Error::Unconfigured { operation: name, message },
        _ => Error::Refused { operation: name, message },
    }
}

/// What to check, and who may grant the permission.
fn hint(permission: &str) -> String {
    format!(
        "check the OCID; if there is such a thing, add the policy statement \
         `Allow dynamic-group <the function's> to {permission} in compartment <its own>`"
    )
}

/// Whether the retry token was refused, because the alarm that it created has been deleted since.
pub(super) fn token_is_spent(error: &Error) -> bool {
    matches!(error, Error::Refused { message, .. } if message.contains("InvalidatedRetryToken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classified() {
        let rows = [
            // 429 is throttling, whatever the code
            (429, "TooManyRequests", "throttled"),
            // a failing service is worth a retry
            (500, "InternalServerError", "unavailable"),
            (503, "", "unavailable"),
            // a service without the operation is not
            (501, "MethodNotImplemented", "refused"),
            // a lock passes in a moment, another change takes minutes
            (409, "LockConflict", "unavailable"),
            (409, "IncorrectState", "in_progress"),
            (409, "InvalidatedRetryToken", "refused"),
            (412, "NoEtagMatch", "lost_race"),
            (400, "LimitExceeded", "over_quota"),
            (400, "QuotaExceeded", "over_quota"),
            // no capacity for this shape, which some services report as an internal error
            (500, "OutOfHostCapacity", "over_quota"),
            (400, "InvalidParameter", "refused"),
            (404, "NotAuthorizedOrNotFound", "not_found_or_denied"),
            (403, "NotAllowed", "denied"),
            (401, "NotAuthenticated", "unconfigured"),
        ];
        for (status, code, kind) in rows {
            let error = read("oci:UpdateModelDeployment", status, code, "text");
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert!(error.to_string().ends_with("text"), "the service's own words: {error}");
        }
    }

    #[test]
    fn a_credential_that_an_endpoint_repeats_is_masked() {
        let text = "keyId=\"ST$eyJhbGciOi\",signature=\"c2VjcmV0MQ==\"";
        let error = read("oci:GetModelDeployment", 400, "InvalidParameter", text).to_string();
        assert!(error.contains("InvalidParameter"), "{error}");
        assert!(!error.contains("eyJhbGciOi") && !error.contains("c2VjcmV0MQ"), "{error}");
    }

    #[test]
    fn a_hidden_resource_names_the_policy_statement() {
        let error = read("oci:GetModelDeployment", 404, "NotAuthorizedOrNotFound", "x");
        let hint = error.hint().unwrap();
        assert!(hint.contains("manage data-science-model-deployments"), "{hint}");
    }
}
