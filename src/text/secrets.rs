//! Makes a text that a service wrote safe for a log: short, in one line, and without credentials.
//!
//! A service repeats what was sent to it: of a wrong signature, AWS repeats the whole request with its session token. And
//! what answers at an endpoint need not be the service.

use super::plain;

/// How many characters of a service's text are kept. Genuine messages have a few hundred.
const LONGEST: usize = 1000;

/// What replaces a credential.
const MASK: &str = "***";

/// The names after which a credential follows, in lower case.
const NAMES: [&str; 11] = [
    "authorization",
    "credential",
    "signature",
    "security-token",
    "session-token",
    "sessiontoken",
    "keyid",
    "password",
    "secretaccesskey",
    "access_token",
    "bearer",
];

/// The shortest word that is a token whatever it is made of. Names of services end at 63 characters, except OCIDs.
const TOKEN: usize = 100;

/// The shortest run of letters of both cases and digits that is a key, a signature or a part of a token.
const KEY: usize = 32;

/// A text of a service, or of the transport to it, as it may be logged.
pub fn of_service(text: &str) -> String {
    // More than a log needs is not even read.
    let short: String = text.chars().take(4 * LONGEST).collect();
    let masked = masked(&short);
    let mut kept: String = masked.chars().take(LONGEST).collect();
    if masked.len() > kept.len() || short.len() < text.len() {
        kept.push('…');
    }
    plain(&kept)
}

/// The text without credentials.
fn masked(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut follows_a_name = false;
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "+/=_-.~%$".contains(c);
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        follows_a_name = push_word(&mut kept, word, follows_a_name);
        let between = after.find(is_word).unwrap_or(after.len());
        let (signs, after) = after.split_at_checked(between).unwrap_or((after, ""));
        kept.push_str(signs);
        // `name: value`, `name="value"`, and a word of an authorization that is not the credential itself.
        follows_a_name &= signs.chars().all(|c| matches!(c, ':' | '"' | '\'' | ' ' | '`'));
        rest = after;
    }
    kept
}

/// Adds a word, or its mask. Returns whether the next word is a credential, because this one is its name.
fn push_word(kept: &mut String, word: &str, follows_a_name: bool) -> bool {
    // `Signature=abc`: the name is a part of the word.
    let (name, value) = word.split_once('=').map_or((word, ""), |(name, value)| (name, value));
    let folded = name.to_ascii_lowercase();
    let is_name = NAMES.iter().any(|known| folded.ends_with(known));
    if is_name && !value.is_empty() {
        kept.extend([name, "=", MASK]);
        return false;
    }
    if is_name {
        kept.push_str(word);
        return true;
    }
    if word.is_empty() {
        return follows_a_name;
    }
    let is_prose = word.chars().all(|c| c.is_ascii_alphabetic()) && word.len() < KEY / 2;
    if is_credential(word) || (follows_a_name && !is_prose) {
        kept.push_str(MASK);
        return false;
    }
    kept.push_str(word);
    // `Authorization: Bearer abc`, and a sentence in which `signature` is a word.
    follows_a_name && is_prose && word.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Whether a word can only be a credential.
fn is_credential(word: &str) -> bool {
    let is_id = word.len() <= 255 && word.starts_with("ocid1.") && !word.contains(['+', '/', '=', '%']);
    if is_id {
        return false;
    }
    let mut runs = word.split(|c: char| !c.is_ascii_alphanumeric());
    word.len() >= TOKEN || runs.any(is_key)
}

/// Whether a run of letters and digits is made like a key: of both cases and digits, or of hexadecimal digits alone.
fn is_key(run: &str) -> bool {
    let has = |kind: fn(&char) -> bool| run.chars().any(|c| kind(&c));
    let has_digit = has(char::is_ascii_digit);
    let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    let is_hexadecimal = run.len() >= 2 * KEY && run.chars().all(|c| c.is_ascii_hexdigit());
    let is_key_id = run.len() == 20 && (run.starts_with("AKIA") || run.starts_with("ASIA"));
    is_key_id || (has_digit && ((run.len() >= KEY && is_mixed) || is_hexadecimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str =
        "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDexample0123456789abcdefGHIJKLMNOPQRSTUVWXYZ";
    const SIGNATURE: &str = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    const KEY: &str = "wJalrXUtnFEMI7K7MDENGbPxRfiCYEXAMPLEKEY12";

    #[test]
    fn no_credential_of_a_request_is_repeated() {
        let rows = [
            format!("The Canonical String should have been 'POST / host:x x-amz-security-token:{TOKEN} x'"),
            format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260302/us-east-1, Signature={SIGNATURE}"),
            format!(
                "Signature version=\"1\",keyId=\"ST${TOKEN}\",algorithm=\"rsa-sha256\",signature=\"c2hvcnQ=\""
            ),
            format!("authorization: Bearer {TOKEN}"),
            "authorization: Bearer c2hvcnQ1".to_owned(),
            format!("{{\"SecretAccessKey\":\"{KEY}\",\"SessionToken\":\"{TOKEN}\"}}"),
            format!("the key {KEY} of ASIAIOSFODNN7EXAMPLE"),
            format!("x-amz-security-token={TOKEN}&x=y"),
        ];
        for row in rows {
            let shown = of_service(&row);
            for secret in [
                TOKEN,
                SIGNATURE,
                KEY,
                "AKIDEXAMPLE",
                "c2hvcnQ",
                "ASIAIOSFODNN7EXAMPLE",
                "EXAMPLEKEY",
                "IQoJ",
            ] {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
        }
    }

    #[test]
    fn what_an_operator_needs_is_kept() {
        for text in [
            "ValidationException: Could not find endpoint \"arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn\".",
            "Cannot create already existing endpoint configuration \"stepladder-churn-0a1b2c-ml-m5-xlarge-0a1b2c3d\".",
            "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.",
            "User: arn:aws:sts::111122223333:assumed-role/stepladder-AlarmFunctionRole-1ABC2DEF3GHI/f is not authorized \
             to perform: sagemaker:UpdateEndpoint",
            "404 NotAuthorizedOrNotFound: ocid1.datasciencemodeldeployment.oc1.iad.amaaaaaanif7xwiaexampleexampleexampleexampleexample2a",
            "The account-level service limit 'ml.m5.2xlarge for endpoint usage' is 0 Instances",
            "token expired: try again",
        ] {
            assert_eq!(of_service(text), text);
        }
    }

    #[test]
    fn an_endless_text_is_cut_and_stays_one_line() {
        let shown = of_service(&"word ".repeat(100_000));
        assert!(shown.chars().count() <= LONGEST + 1 && shown.ends_with('…'), "{}", shown.len());
        assert_eq!(of_service("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(of_service(&"é".repeat(LONGEST)).chars().count(), LONGEST);
    }
}
