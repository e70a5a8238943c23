/// What admission should be, in the simplest words: sums over lists. Amounts are whole dollars.
struct AdmissionModel {
    enum State { case live, settled, ended }

    struct Entry {
        let tenant: String
        let amount: Int64
        let expiresAt: Int64
        var state = State.live
        /// An ordinary event has named it after its end.
        var isUsed = false
    }

    struct Spend {
        let tenant: String
        /// Unix seconds.
        let at: Int64
        let amount: Int64
        /// Budgets that were reset since.
        var forgivenBy: Set<String> = []

        var day: Int64 { at / 86_400 }
    }

    struct Limit {
        let dollars: Int64
        /// Unix seconds.
        let until: Int64?
    }

    static let budgets = ["daily", "rolling"]
    static let window: Int64 = 3600
    private static let bucket: Int64 = 60
    /// Half of the limit, in thousand-millionths.
    static let cap: Int64 = 500_000_000

    var daily: Int64 = 50
    var rolling: Int64 = 30
    /// By budget and tenant: `daily a`.
    var limits: [String: Limit] = [:]
    var entries: [String: Entry] = [:]
    var spends: [Spend] = []
    /// By tenant and day, in nano-dollars.
    private var carried: [String: [Int64: Int64]] = [:]
    private var decidedDay: Int64?

    private func counts(_ spend: Spend, _ budget: String, _ seconds: Int64) -> Bool {
        if spend.forgivenBy.contains(budget) { return false }
        if budget == "daily" { return spend.day == seconds / 86_400 }
        return (spend.at / Self.bucket + 1) * Self.bucket > seconds - Self.window
    }

    func spent(_ budget: String, _ tenant: String, now: Int64) -> Int64 {
        let seconds = now / 1_000_000_000
        return spends.reduce(0) { sum, spend in
            spend.tenant == tenant && counts(spend, budget, seconds) ? sum + spend.amount : sum
        }
    }

    /// In whole dollars, rounded down: what is carried over can be half a dollar.
    func limit(_ budget: String, _ tenant: String, now: Int64) -> Int64 {
        limitNanos(budget, tenant, now: now) / 1_000_000_000
    }

    private func limitNanos(_ budget: String, _ tenant: String, now: Int64) -> Int64 {
        let seconds = now / 1_000_000_000
        if let limit = limits["\(budget) \(tenant)"], limit.until.map({ seconds < $0 }) ?? true {
            return limit.dollars * 1_000_000_000
        }
        guard budget == "daily" else { return rolling * 1_000_000_000 }
        return daily * 1_000_000_000 + (carried[tenant]?[seconds / 86_400] ?? 0)
    }

    /// With the first look at the time on a day, of which a start is one: who spent something the day before takes over what was left.
    mutating func decideCarry(now: Int64) {
        let day = now / 1_000_000_000 / 86_400
        guard decidedDay != day else { return }
        decidedDay = day
        for tenant in Set(spends.filter { $0.day == day - 1 }.map(\.tenant)) {
            let spent = spends.filter {
                $0.tenant == tenant && $0.day == day - 1 && !$0.forgivenBy.contains("daily")
            }.reduce(0) { $0 + $1.amount }
            let left =
                (daily - spent) * 1_000_000_000 + (carried[tenant]?[day - 1] ?? 0)
            carried[tenant, default: [:]][day] = min(
                max(0, left), daily * 1_000_000_000 / 1_000_000_000 * Self.cap)
        }
        spends.removeAll { $0.day < day - 1 }
    }

    func isLive(_ entry: Entry, now: Int64) -> Bool {
        entry.state == .live && entry.expiresAt > now
    }

    func reserved(_ tenant: String, now: Int64) -> Int64 {
        entries.values.filter { $0.tenant == tenant && isLive($0, now: now) }
            .reduce(0) { $0 + $1.amount }
    }

    func allows(_ tenant: String, _ amount: Int64, now: Int64) -> Bool {
        let reserved = reserved(tenant, now: now)
        return Self.budgets.allSatisfy { budget in
            let used = (spent(budget, tenant, now: now) + reserved) * 1_000_000_000
            let limit = limitNanos(budget, tenant, now: now)
            return used + amount * 1_000_000_000 <= limit && used < limit
        }
    }

    mutating func reset(_ budget: String, _ tenant: String?, now: Int64) {
        let seconds = now / 1_000_000_000
        for index in spends.indices where tenant.map({ $0 == spends[index].tenant }) ?? true {
            if counts(spends[index], budget, seconds) { spends[index].forgivenBy.insert(budget) }
        }
    }

    /// True when the event counts.
    ///
    /// - Parameter at: Unix seconds.
    mutating func event(
        _ tenant: String, _ amount: Int64, naming id: String?, at: Int64, now: Int64
    ) -> Bool {
        if let id, let entry = entries[id], entry.tenant == tenant {
            if entry.state == .settled { return false }
            if isLive(entry, now: now) {
                entries[id]?.state = .settled
            } else {
                entries[id]?.isUsed = true
            }
        }
        spends.append(Spend(tenant: tenant, at: at, amount: amount))
        return true
    }
}
