use talon_sdk::FeedSpec;

use crate::contracts;

/// All feeds of the connector.
pub(crate) fn all() -> Vec<FeedSpec> {
    vec![
        FeedSpec::table("treatment", &contracts::TREATMENT)
            .by("ServiceTreatmentID")
            .from("GetHistoryOfServiceTreatments")
            .doc("Closed treatments of support lines, in windows of the past and then as they are closed; late ratings are updates."),
        FeedSpec::table("open_treatment", &contracts::OPEN_TREATMENT)
            .by("ServiceTreatmentID")
            .from("GetOpenedServiceTreatments")
            .doc("Treatments that are open, as a whole list: what is not in it is deleted, and appears in `treatment`."),
    ]
}
