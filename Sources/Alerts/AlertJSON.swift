public import JSON
internal import Usage
internal import Wire

// The `data` object of webhooks and of `GET /v1/alerts`; amounts are decimal strings.
extension Alert {
    /// Appends the object. `top` and the links are added when the alert is sent.
    public func appendJSON(
        to bytes: inout [UInt8], top: [TopSpender] = [], link: String? = nil,
        runbook: String? = nil
    ) {
        bytes.append("{\"version\":1" as StaticString)
        func add(_ key: StaticString, _ text: String) {
            bytes.append(",\"" as StaticString)
            bytes.append(key)
            bytes.append("\":" as StaticString)
            bytes.appendJSONString(text)
        }
        add("id", id)
        add("dedup_key", dedupKey)
        add("kind", kind.rawValue)
        add("status", status.rawValue)
        add("severity", severity.word)
        add("title", title)
        add("summary", summary)
        add("starts_at", RFC3339.text(unixNanos: startsAt / 1_000_000 * 1_000_000))
        if let endsAt { add("ends_at", RFC3339.text(unixNanos: endsAt / 1_000_000 * 1_000_000)) }
        if let resolution { add("resolution", resolution) }
        if let acknowledged {
            add("acknowledged_at", RFC3339.text(unixNanos: acknowledged.at / 1_000_000 * 1_000_000))
            add("acknowledged_by", acknowledged.by)
        }
        for detail in details {
            bytes.append(UInt8(ascii: ","))
            bytes.appendJSONString(detail.name)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(detail.value)
        }
        if let budget {
            bytes.append(",\"budget\":" as StaticString)
            budget.appendJSON(to: &bytes)
        }
        if !top.isEmpty {
            bytes.append(",\"top\":[" as StaticString)
            for (index, spender) in top.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append("{\"dimension\":" as StaticString)
                bytes.appendJSONString(spender.dimension)
                bytes.append(",\"value\":" as StaticString)
                bytes.appendJSONString(spender.value)
                bytes.append(",\"cost_usd\":" as StaticString)
                bytes.appendJSONString(spender.cost.decimal)
                bytes.append("}" as StaticString)
            }
            bytes.append("]" as StaticString)
        }
        let links = [("self", link), ("runbook", runbook)].compactMap { name, url in
            url.map { (name, $0) }
        }
        for (index, entry) in links.enumerated() {
            bytes.append(index == 0 ? ",\"links\":{" : ",")
            bytes.appendJSONString(entry.0)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(entry.1)
        }
        if !links.isEmpty { bytes.append(UInt8(ascii: "}")) }
        bytes.append("}" as StaticString)
    }
}

extension AlertBudget {
    public func appendJSON(to bytes: inout [UInt8]) {
        func time(_ seconds: Int64) -> String { RFC3339.text(unixNanos: seconds * 1_000_000_000) }
        bytes.append("{\"name\":" as StaticString)
        bytes.appendJSONString(name)
        bytes.append(",\"scope\":{" as StaticString)
        for (index, entry) in scope.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSONString(entry.dimension)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(entry.value)
        }
        bytes.append("},\"period_start\":\"\(time(periodStart))\"")
        bytes.append(",\"period_end\":\"\(time(periodEnd))\"")
        bytes.append(",\"limit_usd\":\"\(limit.decimal)\",\"spent_usd\":\"\(spent.decimal)\"")
        bytes.append(",\"utilization\":" as StaticString)
        FixedPoint.append(utilizationMille, scale: 3, to: &bytes)
        if let threshold { bytes.append(",\"threshold\":\(threshold)") }
        if !crossed.isEmpty {
            bytes.append(",\"crossed\":[\(crossed.joined(separator: ","))]")
        }
        if let forecast { bytes.append(",\"forecast_usd\":\"\(forecast.decimal)\"") }
        if let breachAt { bytes.append(",\"breach_at\":\"\(time(breachAt))\"") }
        bytes.append("}" as StaticString)
    }

    /// Reads back what `appendJSON` wrote.
    public init?(_ json: JSONValue) {
        func amount(_ key: String) -> NanoUSD? {
            guard let text = json[key]?.string,
                case .value(let nanos) = NanoUSD.read(Array(text.utf8).span)
            else { return nil }
            return NanoUSD(nanos: nanos)
        }
        func seconds(_ key: String) -> Int64? {
            json[key]?.string.flatMap { RFC3339.read(Array($0.utf8).span) }.map {
                $0 / 1_000_000_000
            }
        }
        guard let name = json["name"]?.string, let start = seconds("period_start"),
            let end = seconds("period_end"), let limit = amount("limit_usd"),
            let spent = amount("spent_usd")
        else { return nil }
        self.name = name
        scope = (json["scope"]?.members ?? []).map {
            Entry(dimension: $0.key, value: $0.value.string ?? "")
        }
        periodStart = start
        periodEnd = end
        self.limit = limit
        self.spent = spent
        threshold = json["threshold"]?.literal
        crossed = (json["crossed"]?.array ?? []).compactMap(\.literal)
        forecast = amount("forecast_usd")
        breachAt = seconds("breach_at")
    }
}
