/// A web service of 1C whose operations answer with a structure: a code, and data that is a table.
#[derive(Debug)]
pub struct Service {
    /// The namespace of its messages.
    pub namespace: &'static str,
    /// What stands before the name of an operation in the header `SOAPAction`, for servers that want it.
    pub action: &'static str,
    /// The element of a request that holds the parameters.
    pub parameters: &'static str,
    /// The property of a reply that says how the call went.
    pub code: &'static str,
    /// The property that has the table, or says why there is none.
    pub data: &'static str,
    /// The code of a call that went well.
    pub success: &'static str,
    /// The code of a call that is one too many for a quota of calls an hour.
    pub out_of_limit: Option<&'static str>,
}
