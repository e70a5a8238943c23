internal import TimeZones
internal import Usage
internal import Wire

// A definition as JSON with the keys of the configuration: what was read from it can be sent back.
extension BudgetDefinition {
    public var json: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append("{\"name\":" as StaticString)
        bytes.appendJSONString(name)
        if !match.isEmpty {
            bytes.append(",\"match\":" as StaticString)
            Self.append(match, to: &bytes)
        }
        if !each.isEmpty {
            bytes.append(",\"each\":[" as StaticString)
            for (index, dimension) in each.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.appendJSONString(dimension.description)
            }
            bytes.append("]" as StaticString)
        }
        appendPeriod(to: &bytes)
        bytes.append(",\"limit_usd\":\"\(limit.decimal)\"")
        appendOverrides(to: &bytes)
        bytes.append(",\"thresholds\":[" as StaticString)
        for (index, threshold) in thresholds.enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.append("{\"at\":\(threshold.text),\"severity\":\"\(threshold.severity.word)\"}")
        }
        bytes.append("],\"cooldown\":\"\(cooldownNanos / 1_000_000_000)s\"")
        if !period.isRolling { bytes.append(",\"burn\":\(burns)") }
        if forecasts { bytes.append(",\"forecast\":true" as StaticString) }
        if let enforcement { enforcement.append(to: &bytes) }
        if let rolloverCap {
            bytes.append(",\"rollover\":{\"cap\":\(Enforcement.text(rolloverCap))}")
        }
        if hasShortLivedScopes { bytes.append(",\"idle\":\"\(idleNanos / 1_000_000_000)s\"") }
        bytes.append("}" as StaticString)
        return bytes
    }

    private func appendPeriod(to bytes: inout [UInt8]) {
        if period.isRolling {
            bytes.append(",\"rolling\":\"\(period.rollingText)\",\"timezone\":")
            bytes.appendJSONString(period.zone.name)
            return
        }
        bytes.append(",\"period\":\"\(period.kind.rawValue)\",\"timezone\":")
        bytes.appendJSONString(period.zone.name)
        bytes.append(",\"week_start\":\"\(period.weekStart.rawValue)\"")
        bytes.append(",\"reset_hour\":\(period.resetHour)")
        bytes.append(",\"month_start_day\":\(period.monthStartDay)")
    }

    private func appendOverrides(to bytes: inout [UInt8]) {
        guard !overrides.isEmpty else { return }
        bytes.append(",\"overrides\":[" as StaticString)
        for (index, override) in overrides.enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.append("{\"when\":" as StaticString)
            Self.append(override.when, to: &bytes)
            bytes.append(",\"limit_usd\":\"\(override.limit.decimal)\"}")
        }
        bytes.append("]" as StaticString)
    }

    private static func append(_ matches: [Match], to bytes: inout [UInt8]) {
        for (index, match) in matches.enumerated() {
            bytes.append(UInt8(ascii: index == 0 ? "{" : ","))
            bytes.appendJSONString(match.dimension.description)
            bytes.append(UInt8(ascii: ":"))
            for (place, text) in match.pattern.texts.enumerated() {
                bytes.append(UInt8(ascii: place == 0 ? "[" : ","))
                bytes.appendJSONString(text)
            }
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

extension Enforcement {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(",\"enforce\":{\"mode\":\"\(mode.rawValue)\"")
        for (key, part) in [("throttle_at", throttleAt), ("deny_at", denyAt), ("grace", grace)] {
            bytes.append(",\"\(key)\":\(Self.text(part))")
        }
        bytes.append(",\"auto_pause\":\(pausesAutomatically)")
        bytes.append(",\"when_unsure\":\"\(whenUnsure.rawValue)\"}")
    }

    /// Thousand-millionths as a decimal.
    fileprivate static func text(_ part: Int64) -> String {
        var bytes: [UInt8] = []
        FixedPoint.append(part, scale: 9, to: &bytes)
        return bytes.text
    }
}
