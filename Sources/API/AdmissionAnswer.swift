internal import Alerts
internal import Budgets
internal import HTTPServer
internal import Usage
internal import Wire

extension HTTPExchange {
    /// A client that reads a stream gets its denial as an event of it.
    var acceptsStream: Bool { header("Accept")?.contains("text/event-stream") ?? false }
}

/// A decision as its asker gets it.
struct AdmissionAnswer {
    let decision: AdmissionDecision
    let isUnpriced: Bool
    /// The tenant that the asker's token is for; a budget of others shows only its name.
    let owner: String?
    let isStream: Bool
    var grant: Reservations.Grant?
    /// Members of the request that nobody reads.
    let ignored: [String]
    /// The store could not keep the reservation; the call may go ahead all the same.
    var isUnsure = false

    init(
        decision: AdmissionDecision, isUnpriced: Bool, owner: String?, isStream: Bool,
        ignored: [String] = []
    ) {
        self.decision = decision
        self.isUnpriced = isUnpriced
        self.owner = owner
        self.isStream = isStream
        self.ignored = ignored
    }

    var response: HTTPResponse {
        let isDenial = decision.verdict == .deny
        let isEvent = isDenial && isStream
        var writer = JSONWriter()
        if isEvent { writer.frame("event: error\ndata: ") }
        append(to: &writer)
        writer.frame(isEvent ? "\n\n" : "\n")
        return HTTPResponse(
            status: isDenial ? 429 : 200,
            contentType: isEvent ? "text/event-stream" : "application/json",
            headers: isDenial ? [("Retry-After", "\(decision.retryAfterSeconds)")] : [],
            body: writer.bytes)
    }

    private func append(to json: inout JSONWriter) {
        json.object { json in
            json.add("decision", decision.verdict.rawValue)
            json.add(
                "reason", isUnsure ? AdmissionReason.unsure.rawValue : decision.reason.rawValue)
            if let grant {
                json.add("id", grant.id)
                json.add("expires_at", unixNanos: grant.expiresAt)
            }
            json.add("estimate_usd", usd: decision.estimate)
            if isUnpriced { json.add("unpriced", true) }
            json.add("retry_after_seconds", decision.retryAfterSeconds)
            json.add("delay_seconds", thousandths: decision.delayMillis)
            if decision.verdict == .deny {
                json.object("error") { json in
                    json.add("code", code)
                    json.add("message", message)
                    appendBudget(to: &json)
                }
            }
            appendBudget(to: &json)
            json.add(ignored: ignored)
        }
    }

    private func appendBudget(to json: inout JSONWriter) {
        guard let budget = decision.budget else {
            return json.add("budget", literal: "null")
        }
        json.object("budget") { json in
            json.add("name", budget.name)
            guard isVisible(budget) else { return }
            json.object("scope") { json in
                for entry in budget.scope {
                    json.add(name: entry.dimension.description, entry.value)
                }
            }
            json.add("limit_usd", usd: budget.limit)
            json.add("spent_usd", usd: budget.spent)
            json.add("reserved_usd", usd: budget.reserved)
            json.add("remaining_usd", usd: budget.remaining)
            json.add("utilization", thousandths: budget.utilizationMille)
            json.add("period_end", unixSeconds: budget.period.end)
        }
    }

    func isVisible(_ budget: AdmissionBudget) -> Bool {
        owner == nil || budget.scope.contains { $0.dimension == .tenant && $0.value == owner }
    }

    /// A reason given by hand is for those whom it is about: that of a model or a user of all may
    /// name other tenants. One by a budget holds the budget's name only.
    private func showsReason(_ pause: ScopePause) -> Bool {
        owner == nil || pause.budget != nil
            || (pause.dimension == .tenant && pause.value == owner)
    }

    private var code: String {
        switch decision.reason {
        case .paused: "scope_paused"
        case .unsure: "store_unwritable"
        default: "budget_exceeded"
        }
    }

    private var message: String {
        if let pause = decision.pause {
            return "\(pause.dimension) \(pause.value) is paused"
                + (pause.reason.isEmpty || !showsReason(pause) ? "" : ": \(pause.reason)")
        }
        guard let budget = decision.budget else { return "the call is denied" }
        guard isVisible(budget) else { return "\(budget.name) is used up" }
        let values = budget.scope.map(\.value).joined(separator: " / ")
        let subject = budget.name + (values.isEmpty ? "" : " of \(values)")
        let limit = MoneyText.dollars(budget.limit)
        let end = RFC3339.text(unixNanos: budget.period.end * 1_000_000_000)
        switch decision.reason {
        case .unsure: return "\(subject) cannot be checked: the store cannot write"
        case .reserved:
            return "\(subject) has no room now: \(MoneyText.dollars(budget.spent)) of \(limit) is "
                + "used, \(MoneyText.dollars(budget.reserved)) is reserved by calls under way"
        default:
            let spent = MoneyText.dollars(budget.spent)
            return budget.spent >= budget.limit
                ? "\(subject) is used up: \(spent) of \(limit); it renews \(end)"
                : "\(subject) has no room for \(MoneyText.dollars(decision.estimate)): \(spent) of "
                    + "\(limit) is used; it renews \(end)"
        }
    }
}

extension JSONWriter {
    /// Names of members that nobody reads, if there were some.
    mutating func add(ignored names: [String]) {
        guard !names.isEmpty else { return }
        array("ignored_fields") { json in
            for name in names { json.add(nil, name) }
        }
    }
}
