//! R11.10: what a failed pod means by `podFailurePolicy`.

use alloc::string::String;

use super::spec::{CodeOperator, FailureAction, FailureMatch, FailureRule, PodCondition};

/// The action of the first rule that fits; `Count` where none does.
pub(super) fn action(rules: &[FailureRule], exits: &[(String, i32)], conditions: &[PodCondition]) -> FailureAction {
    let fits = |rule: &&FailureRule| match &rule.on {
        FailureMatch::ExitCodes { container, operator, values } => exits.iter().any(|(name, code)| {
            let is_meant = container.as_ref().is_none_or(|wanted| wanted == name);
            let is_in = values.contains(code);
            // A container that succeeded is never what the pod failed for.
            is_meant
                && *code != 0
                && match operator {
                    CodeOperator::In => is_in,
                    CodeOperator::NotIn => !is_in,
                }
        }),
        FailureMatch::Conditions(patterns) => conditions.iter().any(|one| patterns.contains(one)),
    };
    rules.iter().find(fits).map_or(FailureAction::Count, |rule| rule.action)
}
