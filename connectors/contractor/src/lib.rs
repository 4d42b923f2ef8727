//! The connector for ContractorPersonalArea
