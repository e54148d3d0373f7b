//! Finds a region by its name or short code, and the domain of its realm.

use serde::Deserialize;

use super::Error;

/// The domain of the commercial realm, and the default for regions that are in no table.
const COMMERCIAL: &str = "oraclecloud.com";

/// A region and the domain of its realm: its services are at `SERVICE.REGION.DOMAIN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegionDomain {
    pub(crate) region: String,
    pub(crate) domain: String,
}

/// The platform's metadata about the region that a function runs in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    realm_domain_component: String,
    /// As `PHX`.
    region_key: String,
    /// As `us-phoenix-1`.
    pub(super) region_identifier: String,
}

/// The region with a name or short code. The platform's metadata comes first, because it has regions that are newer
/// than these tables.
pub(super) fn place(
    named: &str,
    metadata: Option<&Metadata>,
    default_domain: Option<&str>,
) -> Result<RegionDomain, Error> {
    let named = named.trim().to_lowercase();
    let own = metadata.filter(|own| {
        own.region_key.eq_ignore_ascii_case(&named) || own.region_identifier.eq_ignore_ascii_case(&named)
    });
    let default_domain = default_domain.unwrap_or(COMMERCIAL);
    let (region, domain) = match own {
        Some(own) => (own.region_identifier.as_str(), own.realm_domain_component.as_str()),
        None => known(&named).unwrap_or((&named, default_domain)),
    };
    let (region, domain) = (region.to_lowercase(), domain.trim().to_lowercase());
    // Both become part of the address that requests are signed for and sent to.
    if is_name(&region, "-") && is_name(&domain, "-.") {
        Ok(RegionDomain { region, domain })
    } else {
        Err(Error::Region { region, domain })
    }
}

fn is_name(text: &str, besides: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || besides.contains(c))
}

fn known(named: &str) -> Option<(&'static str, &'static str)> {
    let is_it = |(short, region): &&(&str, &str)| named == *short || named == *region;
    if let Some((_, region)) = COMMERCIAL_REGIONS.iter().find(is_it) {
        return Some((region, COMMERCIAL));
    }
    let row = FURTHER_REGIONS.iter().find(|(_, short, region)| named == *short || named == *region);
    row.map(|(domain, _, region)| (*region, *domain))
}

/// The regions of the commercial realm, with their short codes.
const COMMERCIAL_REGIONS: &[(&str, &str)] = &[
    ("lej", "af-casablanca-1"),
    ("jnb", "af-johannesburg-1"),
    ("hsg", "ap-batam-1"),
    ("yny", "ap-chuncheon-1"),
    ("onm", "ap-delhi-1"),
    ("hyd", "ap-hyderabad-1"),
    ("jbp", "ap-kulai-2"),
    ("mel", "ap-melbourne-1"),
    ("bom", "ap-mumbai-1"),
    ("kix", "ap-osaka-1"),
    ("icn", "ap-seoul-1"),
    ("sin", "ap-singapore-1"),
    ("xsp", "ap-singapore-2"),
    ("syd", "ap-sydney-1"),
    ("nrt", "ap-tokyo-1"),
    ("yul", "ca-montreal-1"),
    ("yyz", "ca-toronto-1"),
    ("ams", "eu-amsterdam-1"),
    ("fra", "eu-frankfurt-1"),
    ("mad", "eu-madrid-1"),
    ("orf", "eu-madrid-3"),
    ("mrs", "eu-marseille-1"),
    ("lin", "eu-milan-1"),
    ("cdg", "eu-paris-1"),
    ("arn", "eu-stockholm-1"),
    ("nrq", "eu-turin-1"),
    ("zrh", "eu-zurich-1"),
    ("mtz", "il-jerusalem-1"),
    ("auh", "me-abudhabi-1"),
    ("dxb", "me-dubai-1"),
    ("jed", "me-jeddah-1"),
    ("ruh", "me-riyadh-1"),
    ("mty", "mx-monterrey-1"),
    ("qro", "mx-queretaro-1"),
    ("bog", "sa-bogota-1"),
    ("scl", "sa-santiago-1"),
    ("gru", "sa-saopaulo-1"),
    ("vap", "sa-valparaiso-1"),
    ("vcp", "sa-vinhedo-1"),
    ("cwl", "uk-cardiff-1"),
    ("lhr", "uk-london-1"),
    ("iad", "us-ashburn-1"),
    ("ord", "us-chicago-1"),
    ("phx", "us-phoenix-1"),
    ("aga", "us-saltlake-2"),
    ("sjc", "us-sanjose-1"),
];

/// The regions of other realms, with their domains and short codes.
const FURTHER_REGIONS: &[(&str, &str, &str)] = &[
    ("oraclecloud.eu", "str", "eu-frankfurt-2"),
    ("oraclecloud.eu", "vll", "eu-madrid-2"),
    ("oraclecloud10.com", "wga", "ap-dcc-canberra-1"),
    ("oraclecloud14.com", "ork", "eu-dcc-dublin-1"),
    ("oraclecloud14.com", "snn", "eu-dcc-dublin-2"),
    ("oraclecloud14.com", "bgy", "eu-dcc-milan-1"),
    ("oraclecloud14.com", "mxp", "eu-dcc-milan-2"),
    ("oraclecloud14.com", "dus", "eu-dcc-rating-1"),
    ("oraclecloud14.com", "dtm", "eu-dcc-rating-2"),
    ("oraclecloud15.com", "dac", "ap-dcc-gazipur-1"),
    ("oraclecloud20.com", "beg", "eu-jovanovac-1"),
    ("oraclecloud21.com", "vve", "me-alrayyan-1"),
    ("oraclecloud21.com", "doh", "me-dcc-doha-1"),
    ("oraclecloud23.com", "ebb", "us-somerset-1"),
    ("oraclecloud23.com", "ebl", "us-thames-1"),
    ("oraclecloud24.com", "avf", "eu-crissier-1"),
    ("oraclecloud24.com", "avz", "eu-dcc-zurich-1"),
    ("oraclecloud26.com", "ahu", "me-abudhabi-3"),
    ("oraclecloud26.com", "rba", "me-alain-1"),
    ("oraclecloud29.com", "rkt", "me-abudhabi-2"),
    ("oraclecloud29.com", "shj", "me-abudhabi-4"),
    ("oraclecloud35.com", "bno", "ap-chuncheon-2"),
    ("oraclecloud35.com", "dtz", "ap-seoul-2"),
    ("oraclecloud35.com", "dln", "ap-suwon-1"),
    ("oraclecloud42.com", "yxj", "us-ashburn-2"),
    ("oraclecloud42.com", "pgc", "us-newark-1"),
    ("oraclecloud51.com", "jsk", "eu-budapest-1"),
    ("oraclecloud52.com", "hnw", "sa-riodejaneiro-1"),
    ("oraclecloud8.com", "nja", "ap-chiyoda-1"),
    ("oraclecloud8.com", "ukb", "ap-ibaraki-1"),
    ("oraclecloud9.com", "mct", "me-dcc-muscat-1"),
    ("oraclecloud9.com", "ibr", "me-ibri-1"),
    ("oraclegovcloud.com", "ric", "us-gov-ashburn-1"),
    ("oraclegovcloud.com", "pia", "us-gov-chicago-1"),
    ("oraclegovcloud.com", "tus", "us-gov-phoenix-1"),
    ("oraclegovcloud.com", "lfi", "us-langley-1"),
    ("oraclegovcloud.com", "luf", "us-luke-1"),
    ("oraclegovcloud.uk", "brs", "uk-gov-cardiff-1"),
    ("oraclegovcloud.uk", "ltn", "uk-gov-london-1"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn regions_have_names_codes_and_domains() {
        let own = Metadata {
            realm_domain_component: "oraclecloud77.com".to_owned(),
            region_key: "XYZ".to_owned(),
            region_identifier: "xx-new-1".to_owned(),
        };
        let own = Some(&own);
        let rows = [
            ("us-phoenix-1", None, None, "us-phoenix-1.oraclecloud.com"),
            ("phx", None, None, "us-phoenix-1.oraclecloud.com"),
            // however it is written
            (" PHX\n", None, None, "us-phoenix-1.oraclecloud.com"),
            // another realm
            ("us-luke-1", None, None, "us-luke-1.oraclegovcloud.com"),
            ("nja", None, None, "ap-chiyoda-1.oraclecloud8.com"),
            // newer than the table
            ("xx-newer-1", None, None, "xx-newer-1.oraclecloud.com"),
            ("xx-newer-1", None, Some("oraclecloud99.com"), "xx-newer-1.oraclecloud99.com"),
            // a default is for what is in no table
            ("phx", None, Some("oraclecloud99.com"), "us-phoenix-1.oraclecloud.com"),
            // the platform's metadata about its own region
            ("xyz", own, None, "xx-new-1.oraclecloud77.com"),
            ("xx-new-1", own, Some("oraclecloud99.com"), "xx-new-1.oraclecloud77.com"),
            // does not apply to other regions
            ("phx", own, None, "us-phoenix-1.oraclecloud.com"),
        ];
        for (named, own, default, expected) in rows {
            let place = place(named, own, default).unwrap();
            assert_eq!(format!("{}.{}", place.region, place.domain), expected, "{named}");
        }
        // A text that is not valid in a host's name must not become part of one.
        for (named, default) in [("", None), ("us-phoenix-1/x", None), ("a.b", None), ("new", Some("x@y"))] {
            assert!(place(named, None, default).is_err(), "{named}");
        }
    }

    #[test]
    fn no_region_is_there_twice() {
        let further = FURTHER_REGIONS.iter().map(|(_, short, region)| (short, region));
        let all: Vec<_> =
            COMMERCIAL_REGIONS.iter().map(|(short, region)| (short, region)).chain(further).collect();
        let names: BTreeSet<_> = all.iter().flat_map(|(short, region)| [short, region]).collect();
        assert_eq!(names.len(), 2 * all.len());
    }
}
