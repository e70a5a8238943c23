internal import Usage

/// What a threshold of one scope and period has been through.
struct ThresholdState: Equatable, Sendable {
    var isCrossed = false
    /// Times it was crossed before and re-armed; the key of its alert carries the count.
    var arm = 0
    /// An alert is open for it.
    var isFiring = false
    /// Unix nanoseconds until which the cooldown holds a notification back; nil: none is waiting.
    var pendingAt: Int64?
    /// Thresholds that the waiting notification lists, one bit each.
    var pendingWith: UInt32 = 0
}

/// Why a threshold's alert is over.
public enum ResolveReason: String, Sendable {
    case periodEnded = "period_ended"
    case limitRaised = "limit_raised"
    case spendReduced = "spend_reduced"
    /// Of a rolling budget: enough has left the window.
    case windowMoved = "window_moved"
    /// The scope was forgotten because nothing happened in it.
    case idle
    case reset
    case budgetRemoved = "budget_removed"
    /// The definition has this threshold no more.
    case thresholdRemoved = "threshold_removed"
    /// The definition asks for such alerts no more.
    case turnedOff = "turned_off"
    /// The budget of this name counts other spend than before.
    case budgetChanged = "budget_changed"
    /// Found at a start: its configuration may be another, and time has passed.
    case atStart = "at_start"

    /// What ends alerts when a limit is set; the window of a rolling budget may have moved as well.
    init(limit before: NanoUSD, became after: NanoUSD) {
        self = after > before ? .limitRaised : .spendReduced
    }
}

/// What an evaluation asks for. Thresholds are indexes into the definition's list.
enum ThresholdChange: Equatable, Sendable {
    /// Notify now; `crossed` are all thresholds newly passed, ascending, `threshold` the highest.
    case fired(threshold: Int, crossed: [Int], arm: Int)
    /// The period is over for too long: kept, not sent.
    case recorded(threshold: Int, crossed: [Int])
    case resolved(threshold: Int, arm: Int, reason: ResolveReason)
}

/// (state, spend, limit, now) -> transitions. Pure: no clock, no store.
///
///     below --crossed--> fired -----------------------------> resolved (period end, raise, reset)
///                  \--in cooldown--> pending --still true--> fired
///                  \--period long over--> recorded
enum ThresholdMachine {
    struct Input {
        let thresholds: [BudgetDefinition.Threshold]
        let spent: NanoUSD
        let limit: NanoUSD
        let cooldownNanos: Int64
        let now: Int64
        /// The period contains now, or ended less than an hour ago.
        let isNotifiable: Bool
        /// Why thresholds may have become untrue, if some have.
        let reason: ResolveReason
        /// The window moves with time: what is crossed stays so until spend is well below, and its
        /// cooldown over. A crossing is then numbered by its Unix second.
        var isRolling = false
    }

    /// `states` and `notifiedAt` have an entry per threshold. `notifiedAt` outlives the period: the
    /// cooldown holds across a reset and a new period.
    static func evaluate(
        _ input: Input, _ states: inout [ThresholdState], _ notifiedAt: inout [Int64?]
    ) -> [ThresholdChange] {
        var changes: [ThresholdChange] = []
        var newly: [Int] = []
        var orphans: (due: Int64, mask: UInt32)?
        for index in input.thresholds.indices {
            let isReached = input.thresholds[index].isReached(
                spent: input.spent, limit: input.limit)
            if isReached, !states[index].isCrossed {
                states[index].isCrossed = true
                if input.isRolling { states[index].arm = Int(input.now / 1_000_000_000) }
                newly.append(index)
            } else if !isReached, states[index].isCrossed {
                if input.isRolling, isHeld(input, index, notifiedAt[index]) { continue }
                if states[index].isFiring {
                    changes.append(
                        .resolved(threshold: index, arm: states[index].arm, reason: input.reason))
                }
                if let due = states[index].pendingAt {
                    orphans = (due, (orphans?.mask ?? 0) | states[index].pendingWith)
                }
                states[index] = ThresholdState(arm: states[index].arm + 1)
            }
        }
        if let orphans { adopt(orphans.mask, due: orphans.due, &states) }
        if let highest = newly.last {
            let mask = newly.reduce(into: UInt32(0)) { $0 |= 1 << UInt32($1) }
            if !input.isNotifiable {
                changes.append(.recorded(threshold: highest, crossed: newly))
            } else if let last = notifiedAt[highest], input.now < last + input.cooldownNanos {
                states[highest].pendingAt = last + input.cooldownNanos
                states[highest].pendingWith = mask
            } else {
                changes.append(fire(highest, mask, input, &states, &notifiedAt))
            }
        }
        // From the highest: it takes the waiting ones below it along.
        for index in input.thresholds.indices.reversed() {
            guard let due = states[index].pendingAt, due <= input.now, input.isNotifiable else {
                continue
            }
            changes.append(
                fire(index, states[index].pendingWith, input, &states, &notifiedAt))
        }
        return changes
    }

    /// Under a threshold but not far, or not long enough since it was told.
    private static func isHeld(_ input: Input, _ index: Int, _ notifiedAt: Int64?) -> Bool {
        guard input.reason == .windowMoved || input.reason == .atStart else { return false }
        if input.thresholds[index].isNear(spent: input.spent, limit: input.limit) { return true }
        // A limit that was raised meanwhile ends it at once.
        if input.reason == .atStart { return false }
        return notifiedAt.map { input.now < $0 + input.cooldownNanos } ?? false
    }

    /// A notification waited for a threshold that is no longer true: it waits for the highest of
    /// those that it would have listed and that still are.
    private static func adopt(_ mask: UInt32, due: Int64, _ states: inout [ThresholdState]) {
        let still = states.indices.filter { mask & (1 << UInt32($0)) != 0 && states[$0].isCrossed }
        guard let highest = still.last else { return }
        states[highest].pendingAt = states[highest].pendingAt ?? due
        for index in still { states[highest].pendingWith |= 1 << UInt32(index) }
    }

    private static func fire(
        _ highest: Int, _ mask: UInt32, _ input: Input, _ states: inout [ThresholdState],
        _ notifiedAt: inout [Int64?]
    ) -> ThresholdChange {
        var mask = mask
        for index in 0...highest where states[index].pendingAt != nil {
            mask |= states[index].pendingWith
            states[index].pendingAt = nil
            states[index].pendingWith = 0
        }
        // A threshold that is no longer true is no longer told.
        let crossed = (0...highest).filter { mask & (1 << UInt32($0)) != 0 && states[$0].isCrossed }
        for index in crossed { notifiedAt[index] = input.now }
        states[highest].isFiring = true
        return .fired(threshold: highest, crossed: crossed, arm: states[highest].arm)
    }

    /// The period has ended, or the budget is gone: every open alert is over, what waited is
    /// dropped.
    static func close(
        _ states: inout [ThresholdState], reason: ResolveReason
    ) -> [ThresholdChange] {
        var changes: [ThresholdChange] = []
        for index in states.indices {
            if states[index].isFiring {
                changes.append(
                    .resolved(threshold: index, arm: states[index].arm, reason: reason))
            }
            states[index].isFiring = false
            states[index].pendingAt = nil
            states[index].pendingWith = 0
        }
        return changes
    }
}
