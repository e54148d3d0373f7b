//! The identity and the region of requests: the function's resource principal, or a profile of the configuration file.
//!
//! Keys and tokens are read again whenever they are requested, because the platform rotates them.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rsa::KeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use thiserror::Error as ThisError;

mod place;
mod profile;

pub(crate) use place::RegionDomain;

const VERSION: &str = "OCI_RESOURCE_PRINCIPAL_VERSION";
/// The version of resource principals that OCI Functions provides.
const SUPPORTED: &str = "2.2";
const TOKEN: &str = "OCI_RESOURCE_PRINCIPAL_RPST";
const KEY: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM";
const FUNCTION_REGION: &str = "OCI_RESOURCE_PRINCIPAL_REGION";
const REGION: &str = "OCI_REGION";
const METADATA: &str = "OCI_REGION_METADATA";
const DEFAULT_DOMAIN: &str = "OCI_DEFAULT_REALM";
/// The variables for the configuration file: the SDKs', then the command line's.
const CONFIG_FILES: [&str; 2] = ["OCI_CONFIG_FILE", "OCI_CLI_CONFIG_FILE"];
/// The variables for the profile, in the same order.
const PROFILES: [&str; 2] = ["OCI_CONFIG_PROFILE", "OCI_CLI_PROFILE"];

/// Where the identity comes from. Found once per process.
#[derive(Debug, Clone)]
pub(crate) struct IdentitySource {
    credentials: Credentials,
    /// The region that the environment names.
    region: Option<String>,
    metadata: Option<place::Metadata>,
    default_domain: Option<String>,
}

#[derive(Debug, Clone)]
enum Credentials {
    /// The resource principal of a function.
    ResourcePrincipal { token: Secret, key: Secret },
    /// The API key of a user.
    Profile { file: PathBuf, name: String, home: Option<PathBuf> },
}

/// A secret, or the file that holds it.
#[derive(Clone)]
struct Secret {
    /// The environment variable that names it.
    variable: &'static str,
    text: String,
}

/// The identity that signs requests.
pub(crate) struct Identity {
    pub(crate) key_id: String,
    pub(crate) key: KeyPair,
    pub(crate) tenancy: Option<String>,
    /// The function's compartment; `None` for a user.
    pub(crate) compartment: Option<String>,
    pub(crate) expires: Option<Timestamp>,
}

/// Why there is no identity, or no region.
#[derive(Debug, ThisError)]
pub(crate) enum Error {
    #[error("`{VERSION}` is `{found}`; expected `{SUPPORTED}`, as OCI Functions provides it")]
    Version { found: String },
    #[error("`{name}` is not set; with `{VERSION}` it must be, to a value or an absolute path")]
    Unset { name: &'static str },
    #[error("there is no configuration file; set `OCI_CONFIG_FILE`, or `HOME` for `~/.oci/config`")]
    NoConfigFile,
    #[error("{what} `{path}` cannot be read; expected a text file that this process may read")]
    Unreadable { what: &'static str, path: String, source: std::io::Error },
    #[error("`{file}` has no profile `{name}`; add it, or name another with `OCI_CLI_PROFILE`")]
    NoProfile { file: String, name: String },
    #[error("profile `{name}` of `{file}` has no `{key}`; add it")]
    Incomplete { file: String, name: String, key: &'static str },
    #[error("profile `{name}` of `{file}`: `{key}` is `{found}`; expected {expected}")]
    Malformed { file: String, name: String, key: &'static str, found: String, expected: &'static str },
    #[error("the token of {origin} is no JSON Web Token; expected three parts in base64url between dots")]
    Token { origin: String },
    #[error("the private key of {origin} cannot be used: {why}")]
    Key { origin: String, why: BadKey },
    #[error("no region is named; set `{REGION}`, or `region` in the profile")]
    NoRegion,
    #[error(
        "`{region}` below `{domain}` is no region; expected one as `us-phoenix-1` below `oraclecloud.com`"
    )]
    Region { region: String, domain: String },
}

/// What is wrong with a private key.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub(crate) enum BadKey {
    #[error(
        "it is encrypted; expected one without a passphrase, as `openssl rsa -in KEY -out NEW` writes it"
    )]
    Encrypted,
    #[error("expected PEM, with `BEGIN RSA PRIVATE KEY` or `BEGIN PRIVATE KEY`")]
    NotPem,
    #[error("expected an RSA key, found one of another kind")]
    NotRsa,
    #[error("expected an RSA key of 2048 to 4096 bits, found one that is refused as `{reason}`")]
    Refused { reason: String },
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Secret").field(&self.origin()).finish()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key and its id, which may be a token.
        out.debug_struct("Identity")
            .field("tenancy", &self.tenancy)
            .field("compartment", &self.compartment)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl IdentitySource {
    /// The source that the environment names: the function's resource principal, or else a profile.
    pub(crate) fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let credentials = match variable(VERSION) {
            Some(version) if version.trim() == SUPPORTED => Credentials::ResourcePrincipal {
                token: Secret::find(TOKEN, variable)?,
                key: Secret::find(KEY, variable)?,
            },
            Some(found) => return Err(Error::Version { found }),
            None => user_credentials(variable)?,
        };
        let region = match credentials {
            Credentials::ResourcePrincipal { .. } => variable(FUNCTION_REGION).or_else(|| variable(REGION)),
            Credentials::Profile { .. } => variable(REGION),
        };
        // Unreadable metadata is ignored.
        let metadata = variable(METADATA).and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self { credentials, region, metadata, default_domain: variable(DEFAULT_DOMAIN) })
    }

    /// The current identity, with key and token read again.
    pub(crate) fn identity(&self) -> Result<Identity, Error> {
        match &self.credentials {
            Credentials::ResourcePrincipal { token, key } => resource_principal(token, key),
            Credentials::Profile { file, name, home } => Profile::read(file, name)?.identity(home.as_deref()),
        }
    }

    /// The region that requests go to.
    pub(crate) fn region(&self) -> Result<RegionDomain, Error> {
        let named = match &self.credentials {
            Credentials::ResourcePrincipal { .. } => None,
            Credentials::Profile { file, name, .. } => Profile::read(file, name)?.values.remove("region"),
        };
        let own = || self.metadata.as_ref().map(|own| own.region_identifier.clone());
        let named = named.filter(|named| !named.is_empty()).or_else(|| self.region.clone()).or_else(own);
        place::place(&named.ok_or(Error::NoRegion)?, self.metadata.as_ref(), self.default_domain.as_deref())
    }
}

impl Secret {
    fn find(name: &'static str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let text = variable(name).ok_or(Error::Unset { name })?.trim().to_owned();
        Ok(Self { variable: name, text })
    }

    /// The file with the secret, if the value is an absolute path. Neither a token nor a key begins like one.
    fn file(&self) -> Option<&Path> {
        let path = Path::new(&self.text);
        path.is_absolute().then_some(path)
    }

    fn read(&self) -> Result<String, Error> {
        match self.file() {
            Some(path) => read(self.variable, path),
            None => Ok(self.text.clone()),
        }
    }

    /// Where the secret comes from, for messages.
    fn origin(&self) -> String {
        match self.file() {
            Some(path) => format!("`{}`", path.display()),
            None => format!("`{}`", self.variable),
        }
    }
}

/// The identity of a resource principal.
fn resource_principal(token: &Secret, key: &Secret) -> Result<Identity, Error> {
    let text = token.read()?;
    let text = text.trim();
    let claims = claims(text).ok_or_else(|| Error::Token { origin: token.origin() })?;
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let expires = claims.get("exp").and_then(Value::as_i64);
    Ok(Identity {
        key_id: format!("ST${text}"),
        key: rsa_key(&key.read()?).map_err(|why| Error::Key { origin: key.origin(), why })?,
        tenancy: claim("res_tenant"),
        compartment: claim("res_compartment"),
        expires: expires.and_then(|second| Timestamp::from_second(second).ok()),
    })
}

/// The claims of a token. The services verify it.
fn claims(token: &str) -> Option<Value> {
    let parts: Vec<&str> = token.split('.').collect();
    let [_, claims, _] = parts.as_slice() else { return None };
    // The token becomes part of a header, in quotes.
    let base64url = |c: char| c.is_ascii_alphanumeric() || "-_=.".contains(c);
    let bytes = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&bytes).ok()?;
    (claims.is_object() && token.chars().all(base64url)).then_some(claims)
}

/// The profile that the environment names. A variable that names a file overrides the default path, even if there is no
/// such file.
fn user_credentials(variable: &dyn Fn(&str) -> Option<String>) -> Result<Credentials, Error> {
    let home = variable("HOME").map(PathBuf::from);
    let named = CONFIG_FILES.iter().find_map(|name| variable(name));
    let usual = home.as_ref().map(|home| home.join(".oci/config"));
    let file = named.map(|path| expand(&path, home.as_deref())).or(usual).ok_or(Error::NoConfigFile)?;
    let name = PROFILES.iter().find_map(|name| variable(name));
    Ok(Credentials::Profile { file, name: name.unwrap_or_else(|| profile::DEFAULT.to_owned()), home })
}

struct Profile {
    file: String,
    name: String,
    values: std::collections::HashMap<String, String>,
}

impl Profile {
    fn read(path: &Path, name: &str) -> Result<Self, Error> {
        let (file, name) = (path.display().to_string(), name.to_owned());
        match profile::profile(&read("`OCI_CONFIG_FILE`, by default `~/.oci/config`:", path)?, &name) {
            Some(values) => Ok(Self { file, name, values }),
            None => Err(Error::NoProfile { file, name }),
        }
    }

    fn get(&self, key: &'static str) -> Result<&str, Error> {
        let value = self.values.get(key).filter(|value| !value.is_empty());
        value.map(String::as_str).ok_or_else(|| Error::Incomplete {
            file: self.file.clone(),
            name: self.name.clone(),
            key,
        })
    }

    /// A value that is checked for its form.
    fn get_as(
        &self,
        key: &'static str,
        fits: fn(&str) -> bool,
        expected: &'static str,
    ) -> Result<&str, Error> {
        let found = self.get(key)?;
        if fits(found) {
            return Ok(found);
        }
        let (file, name) = (self.file.clone(), self.name.clone());
        Err(Error::Malformed { file, name, key, found: found.to_owned(), expected })
    }

    fn identity(&self, home: Option<&Path>) -> Result<Identity, Error> {
        let tenancy = self.get_as("tenancy", is_ocid, "an OCID, as `ocid1.tenancy.oc1..…`")?;
        let user = self.get_as("user", is_ocid, "an OCID, as `ocid1.user.oc1..…`")?;
        let fingerprint =
            self.get_as("fingerprint", is_fingerprint, "sixteen pairs of hexadecimal digits between colons")?;
        let path = expand(self.get("key_file")?, home);
        let key = rsa_key(&read("the private key", &path)?);
        let origin = || format!("`{}`", path.display());
        Ok(Identity {
            key_id: format!("{tenancy}/{user}/{fingerprint}"),
            key: key.map_err(|why| Error::Key { origin: origin(), why })?,
            tenancy: Some(tenancy.to_owned()),
            compartment: None,
            expires: None,
        })
    }
}

fn is_ocid(text: &str) -> bool {
    text.starts_with("ocid1.") && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c))
}

fn is_fingerprint(text: &str) -> bool {
    let pair = |pair: &str| pair.len() == 2 && pair.chars().all(|c| c.is_ascii_hexdigit());
    text.split(':').count() == 16 && text.split(':').all(pair)
}

/// A path, with `~` expanded to the home directory.
fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.join(below),
        _ => PathBuf::from(path),
    }
}

fn read(what: &'static str, path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { what, path: path.display().to_string(), source };
    std::fs::read_to_string(path).map_err(unreadable)
}

/// The first private key of a PEM text.
pub(super) fn rsa_key(pem: &str) -> Result<KeyPair, BadKey> {
    // PKCS#8 has it in its first line, the older form in its second.
    if pem.contains("BEGIN ENCRYPTED") || pem.contains("4,ENCRYPTED") {
        return Err(BadKey::Encrypted);
    }
    let der = PrivateKeyDer::from_pem_slice(pem.trim().as_bytes()).map_err(|_| BadKey::NotPem)?;
    let key = if let PrivateKeyDer::Pkcs1(der) = &der {
        KeyPair::from_der(der.secret_pkcs1_der())
    } else if let PrivateKeyDer::Pkcs8(der) = &der {
        KeyPair::from_pkcs8(der.secret_pkcs8_der())
    } else {
        return Err(BadKey::NotRsa);
    };
    key.map_err(|refused| BadKey::Refused { reason: refused.to_string() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::engine::general_purpose::URL_SAFE;
    use tempfile::TempDir;

    use super::*;
    use crate::text::chain;

    const PKCS1: &str = include_str!("signature/test.pkcs1.pem");
    const PKCS8: &str = include_str!("signature/test.pkcs8.pem");
    const CLAIMS: &str = r#"{"res_tenant":"ocid1.tenancy.oc1..t","res_compartment":"ocid1.compartment.oc1..c","exp":1772442000}"#;
    const PROFILES: &str = "\
[DEFAULT]
user = ocid1.user.oc1..u
tenancy = ocid1.tenancy.oc1..t
fingerprint = 20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34
key_file = ~/.oci/key.pem
[frankfurt]
region = eu-frankfurt-1
[blank]
user =
[odd]
fingerprint = 20:3b
[elsewhere]
tenancy = \"ocid1.tenancy.oc1..t\"
[keyless]
key_file = ~/.oci/none.pem
";

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn find(variables: &[(&str, &str)]) -> Result<IdentitySource, Error> {
        let named = |name: &str| variables.iter().find(|(known, _)| *known == name);
        IdentitySource::find(&|name| named(name).map(|(_, value)| (*value).to_owned()))
    }

    fn principal(token: &str, key: &str) -> Result<IdentitySource, Error> {
        find(&[(VERSION, "2.2"), (TOKEN, token), (KEY, key)])
    }

    /// A home directory with a configuration file and a key.
    fn home() -> TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".oci")).unwrap();
        fs::write(home.path().join(".oci/config"), PROFILES).unwrap();
        fs::write(home.path().join(".oci/key.pem"), format!("{PKCS8}OCI_API_KEY\n")).unwrap();
        home
    }

    /// The text of an error; panics without one.
    fn error_text<T>(result: Result<T, Error>) -> String {
        result.err().map(|error| chain(&error)).unwrap()
    }

    #[test]
    fn a_resource_principal_has_the_identity_of_its_token() {
        let padded = format!("e30.{}.c2ln", URL_SAFE.encode(CLAIMS));
        let rows = [
            (token(CLAIMS), PKCS1),
            (token(CLAIMS), PKCS8),
            // with the line break that ends a file
            (format!("{}\n", token(CLAIMS)), PKCS8),
            // padding is unusual, but valid
            (padded, PKCS8),
        ];
        for (token, key) in rows {
            let identity = principal(&token, key).unwrap().identity().unwrap();
            assert_eq!(identity.key_id, format!("ST${}", token.trim()));
            assert_eq!(identity.tenancy.as_deref(), Some("ocid1.tenancy.oc1..t"));
            assert_eq!(identity.compartment.as_deref(), Some("ocid1.compartment.oc1..c"));
            assert_eq!(identity.expires, Some("2026-03-02T09:00:00Z".parse().unwrap()));
            assert_eq!(identity.key.public().modulus_len(), 256);
        }
        // Optional claims may be missing or invalid.
        let identity = principal(&token(r#"{"exp":"soon"}"#), PKCS8).unwrap().identity().unwrap();
        assert_eq!((identity.tenancy, identity.compartment, identity.expires), (None, None, None));
    }

    #[test]
    fn key_and_token_are_read_as_they_are_now() {
        let dir = tempfile::tempdir().unwrap();
        let (rpst, pem) = (dir.path().join("rpst"), dir.path().join("private.pem"));
        fs::write(&rpst, token("{}")).unwrap();
        fs::write(&pem, PKCS1).unwrap();
        let source = principal(rpst.to_str().unwrap(), pem.to_str().unwrap()).unwrap();
        assert_eq!(source.identity().unwrap().key_id, format!("ST${}", token("{}")));
        fs::write(&rpst, format!("{}\n", token(CLAIMS))).unwrap();
        assert_eq!(source.identity().unwrap().key_id, format!("ST${}", token(CLAIMS)));
        fs::write(&pem, "nothing").unwrap();
        assert!(error_text(source.identity()).contains("expected PEM"));
        fs::remove_file(&rpst).unwrap();
        let missing = error_text(source.identity());
        assert!(
            missing.contains(&format!("`{}`", rpst.display())) && missing.contains("No such file"),
            "{missing}"
        );
    }

    #[test]
    fn an_invalid_identity_is_reported_without_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_str().unwrap();
        let good = token(CLAIMS);
        let body = PKCS8.split("-----").nth(2).unwrap();
        let pem = |kind: &str, body: &str| format!("-----BEGIN {kind}-----{body}-----END {kind}-----\n");
        let rows = [
            // PKCS#8 has it in its first line
            (good.as_str(), pem("ENCRYPTED PRIVATE KEY", body), "it is encrypted"),
            // the older form in its second
            (
                good.as_str(),
                pem("RSA PRIVATE KEY", &format!("\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n{body}")),
                "it is encrypted",
            ),
            (good.as_str(), "c2VjcmV0".to_owned(), "expected PEM"),
            (good.as_str(), pem("PUBLIC KEY", body), "expected PEM"),
            (good.as_str(), pem("EC PRIVATE KEY", body), "one of another kind"),
            // a key in the wrong wrapping
            (good.as_str(), pem("RSA PRIVATE KEY", body), "refused as"),
            (good.as_str(), dir.to_owned(), "cannot be read"),
            (dir, PKCS8.to_owned(), "cannot be read"),
            ("c2VjcmV0", PKCS8.to_owned(), "no JSON Web Token"),
            // three parts, of which the second is no base64url, or no object
            ("a.c2VjcmV0!.c", PKCS8.to_owned(), "no JSON Web Token"),
            ("a.MTI.c", PKCS8.to_owned(), "no JSON Web Token"),
            // a quote would end the quoted value in the header
            ("a\".e30.c", PKCS8.to_owned(), "no JSON Web Token"),
        ];
        for (token, key, expected) in rows {
            let source = principal(token, &key).unwrap();
            let error = error_text(source.identity());
            assert!(error.contains(expected), "{error}");
            let debugged = format!("{source:?}");
            for secret in ["c2VjcmV0", body.trim(), &good] {
                assert!(!error.contains(secret) && !debugged.contains(secret), "{error} {debugged}");
            }
        }
    }

    #[test]
    fn an_identity_shows_no_secret() {
        let identity = principal(&token(CLAIMS), PKCS8).unwrap().identity().unwrap();
        let expected = "Identity { tenancy: Some(\"ocid1.tenancy.oc1..t\"), compartment: \
                        Some(\"ocid1.compartment.oc1..c\"), expires: Some(2026-03-02T09:00:00Z), .. }";
        assert_eq!(format!("{identity:?}"), expected);
    }

    #[test]
    fn an_incomplete_environment_is_reported() {
        let rows: [(&[(&str, &str)], &str); 4] = [
            (&[(VERSION, "1.1")], "`OCI_RESOURCE_PRINCIPAL_VERSION` is `1.1`; expected `2.2`"),
            (&[(VERSION, "2.2"), (KEY, PKCS8)], "`OCI_RESOURCE_PRINCIPAL_RPST` is not set"),
            (&[(VERSION, "2.2"), (TOKEN, "t")], "`OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM` is not set"),
            (&[], "there is no configuration file"),
        ];
        for (variables, expected) in rows {
            let error = error_text(find(variables));
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_user_is_a_profile() {
        let home = home();
        let path = home.path().to_str().unwrap();
        let config = format!("{path}/.oci/config");
        let usual = [("HOME", path)];
        let rows: [&[(&str, &str)]; 5] = [
            &usual,
            // named, with the home directory for the key
            &[("HOME", path), ("OCI_CONFIG_FILE", &config)],
            &[("HOME", path), ("OCI_CLI_CONFIG_FILE", "~/.oci/config")],
            // a profile that inherits everything that it needs
            &[("HOME", path), ("OCI_CLI_PROFILE", "frankfurt")],
            &[("HOME", path), ("OCI_CONFIG_PROFILE", "frankfurt"), ("OCI_CLI_PROFILE", "blank")],
        ];
        for variables in rows {
            let identity = find(variables).unwrap().identity().unwrap();
            let expected =
                "ocid1.tenancy.oc1..t/ocid1.user.oc1..u/20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34";
            assert_eq!(identity.key_id, expected, "{variables:?}");
            assert_eq!(identity.tenancy.as_deref(), Some("ocid1.tenancy.oc1..t"));
            assert_eq!((identity.compartment, identity.expires), (None, None));
        }
        let rows = [
            ("blank", "has no `user`; add it"),
            ("odd", "`fingerprint` is `20:3b`; expected sixteen pairs"),
            // quotes are a part of the value
            ("elsewhere", "`tenancy` is `\"ocid1.tenancy.oc1..t\"`; expected an OCID"),
            ("keyless", ".oci/none.pem` cannot be read"),
            ("third", "has no profile `third`"),
        ];
        for (name, expected) in rows {
            let source = find(&[("HOME", path), ("OCI_CLI_PROFILE", name)]).unwrap();
            let error = error_text(source.identity());
            assert!(error.contains(expected), "{error}");
        }
        let missing = find(&[("HOME", path), ("OCI_CONFIG_FILE", "/nowhere/config")]).unwrap();
        assert!(error_text(missing.identity()).contains("`/nowhere/config` cannot be read"));
    }

    #[test]
    fn the_most_specific_region_wins() {
        let home = home();
        let home = ("HOME", home.path().to_str().unwrap());
        let resource_principal = |region| [(VERSION, "2.2"), (TOKEN, "t"), (KEY, "k"), region];
        let metadata = r#"{"realmKey":"oc77","realmDomainComponent":"oraclecloud77.com","regionKey":"XYZ","regionIdentifier":"xx-new-1"}"#;
        let frankfurt = ("OCI_CLI_PROFILE", "frankfurt");
        let rows: [(Vec<(&str, &str)>, &str); 6] = [
            (resource_principal((FUNCTION_REGION, "phx")).to_vec(), "us-phoenix-1.oraclecloud.com"),
            (resource_principal((REGION, "iad")).to_vec(), "us-ashburn-1.oraclecloud.com"),
            // only the platform's metadata
            (resource_principal((METADATA, metadata)).to_vec(), "xx-new-1.oraclecloud77.com"),
            (vec![home, (REGION, "uk-gov-london-1")], "uk-gov-london-1.oraclegovcloud.uk"),
            // a profile's own region wins
            (vec![home, frankfurt, (REGION, "phx")], "eu-frankfurt-1.oraclecloud.com"),
            (vec![home, frankfurt, (METADATA, "{nonsense")], "eu-frankfurt-1.oraclecloud.com"),
        ];
        for (variables, expected) in rows {
            let place = find(&variables).unwrap().region().unwrap();
            assert_eq!(format!("{}.{}", place.region, place.domain), expected, "{variables:?}");
        }
        assert!(error_text(find(&[home]).unwrap().region()).contains("no region is named"));
    }
}
