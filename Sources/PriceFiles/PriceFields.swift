public import Pricing
internal import Usage
internal import Wire

/// One row of prices by the names of its fields, as our YAML files and `PUT /v1/prices` have it.
public enum PriceFields {
    public struct Field: Equatable, Sendable {
        public var key: String
        public var text: String

        public init(_ key: String, _ text: String) {
            self.key = key
            self.text = text
        }
    }

    public struct Problem: Equatable, Sendable {
        public var key: String
        public var message: String
        public var isWarning = false
    }

    public struct Reading: Equatable, Sendable {
        /// `openai/gpt-4o`, as far as it is known.
        public var name = ""
        /// Nil with a problem that is no warning, or for a row that is withdrawn.
        public var row: PriceRow?
        public var problems: [Problem] = []
        public var isWithdrawn = false
        /// Unix seconds.
        public var validFrom = Int64.min
    }

    static let perMillion: [(name: String, kind: RateKind)] = [
        ("input", .input), ("cached_input", .cachedInput), ("cache_write", .cacheWrite),
        ("cache_write_1h", .cacheWriteHour), ("cache_write_12h", .cacheWriteHalfDay),
        ("output", .output), ("reasoning_output", .reasoning), ("audio_input", .audioInput),
        ("audio_cached_input", .cachedAudio), ("audio_output", .audioOutput),
        ("image_input", .imageInput), ("image_cached_input", .cachedImage),
        ("image_output", .imageOutput), ("video_input", .videoInput),
    ]
    static let tiers: [(prefix: String, tier: ServiceTier)] = [
        ("", .standard), ("batch_", .batch), ("flex_", .flex), ("priority_", .priority),
        ("balanced_", .balanced), ("ultrafast_", .ultrafast),
    ]
    static let perUnit: [(name: String, kind: RateKind)] = [
        ("usd_per_query", .query), ("usd_per_input_second", .inputSecond),
        ("usd_per_output_second", .outputSecond), ("usd_per_running_second", .runningSecond),
        ("usd_per_input_character", .inputCharacter),
        ("usd_per_output_character", .outputCharacter), ("usd_per_image", .image),
        ("usd_per_page", .page), ("usd_per_vcpu_second", .vcpuSecond),
        ("usd_per_gib_ram_second", .gibSecond),
    ]

    /// Whether a rate is above the row's threshold, for which tier, of what, and per how many.
    private struct RateField {
        var key: RateKey
        var isTiered = false
        var shift = 0
    }

    private static let rateFields: [String: RateField] = {
        var fields: [String: RateField] = [:]
        for (name, kind) in perMillion {
            for (prefix, tier) in tiers {
                let key = RateKey(kind, tier: tier)
                fields["\(prefix)\(name)_usd_per_mtok"] = RateField(key: key, shift: -6)
                fields["tier_\(prefix)\(name)_usd_per_mtok"] = RateField(
                    key: key, isTiered: true, shift: -6)
            }
        }
        for (name, kind) in perUnit { fields[name] = RateField(key: RateKey(kind)) }
        return fields
    }()

    static let otherFields: Set<String> = [
        "provider", "model", "mode", "valid_from", "valid_to", "withdrawn", "source",
        "tier_above_prompt_tokens", "usd_per_web_search", "default_vcpu", "default_ram_gib",
    ]

    public static func read(_ fields: [Field]) -> Reading {
        var reading = Reading()
        var seen: Set<String> = []
        for field in fields {
            if rateFields[field.key] == nil, !otherFields.contains(field.key) {
                reading.problems.append(Problem(key: field.key, message: "unknown key"))
            }
            if !seen.insert(field.key).inserted {
                reading.problems.append(Problem(key: field.key, message: "stands twice"))
            }
        }
        func text(_ key: String) -> String { fields.last { $0.key == key }?.text ?? "" }
        let provider = text("provider").lowercased()
        let model = text("model")
        for (key, value) in [("provider", provider), ("model", model)] {
            if value.isEmpty || value.utf8.count > Limits.textBytes {
                reading.problems.append(Problem(key: key, message: "is missing or too long"))
            }
        }
        var row = PriceRow(provider: PriceRow.canonicalProvider(provider), key: "")
        row.key = "\(row.provider)/\(model)"
        reading.name = row.key
        if !text("mode").isEmpty { row.mode = text("mode") }
        reading.isWithdrawn = readWithdrawn(text("withdrawn"), &reading)
        readDates(from: text("valid_from"), to: text("valid_to"), &row, &reading)
        reading.validFrom = row.validFrom
        readThreshold(text("tier_above_prompt_tokens"), fields, &row, &reading)
        readOthers(text, &row, &reading)
        if row.rates.isEmpty, row.searchMedium == nil, !reading.isWithdrawn,
            reading.problems.isEmpty
        {
            reading.problems.append(
                Problem(key: "", message: "has no price; write input_usd_per_mtok or another rate"))
        }
        if reading.problems.allSatisfy(\.isWarning), !reading.isWithdrawn { reading.row = row }
        return reading
    }

    private static func readWithdrawn(_ text: String, _ reading: inout Reading) -> Bool {
        if !["", "true", "false"].contains(text) {
            reading.problems.append(Problem(key: "withdrawn", message: "must be true or false"))
        }
        return text == "true"
    }

    private static func readDates(
        from: String, to: String, _ row: inout PriceRow, _ reading: inout Reading
    ) {
        let message = "is no day such as 2026-06-30 and no RFC 3339 time"
        if !from.isEmpty {
            if let time = PriceDay.start(of: from) {
                row.validFrom = time
            } else {
                reading.problems.append(
                    Problem(key: "valid_from", message: "\"\(from)\" \(message)"))
            }
        }
        if !to.isEmpty {
            if let time = PriceDay.start(of: to) {
                // A day is included; a moment ends it.
                row.validTo = to.utf8.count == 10 ? time + RFC3339.secondsPerDay : time
            } else {
                reading.problems.append(Problem(key: "valid_to", message: "\"\(to)\" \(message)"))
            }
        }
        if row.validTo <= row.validFrom {
            reading.problems.append(Problem(key: "valid_to", message: "is before valid_from"))
        }
    }

    private static func readThreshold(
        _ text: String, _ fields: [Field], _ row: inout PriceRow, _ reading: inout Reading
    ) {
        var threshold: UInt32?
        if !text.isEmpty {
            threshold = UInt32(text).flatMap { $0 > 0 ? $0 : nil }
            if threshold == nil {
                reading.problems.append(
                    Problem(
                        key: "tier_above_prompt_tokens",
                        message: "\"\(text)\" is no number of tokens such as 200000"))
            }
        }
        for field in fields where !field.text.isEmpty {
            guard var rate = rateFields[field.key] else { continue }
            if rate.isTiered {
                guard let threshold else {
                    if text.isEmpty {
                        reading.problems.append(
                            Problem(key: field.key, message: "needs tier_above_prompt_tokens"))
                    }
                    continue
                }
                rate.key.threshold = threshold
            }
            guard case .value(let usd) = ExactUSD.read(field.text, shift: rate.shift) else {
                reading.problems.append(
                    Problem(key: field.key, message: "\"\(field.text)\" is not a price in dollars"))
                continue
            }
            if let (message, isWarning) = RateBounds.doubt(usd, rate.key.kind) {
                reading.problems.append(
                    Problem(key: field.key, message: message, isWarning: isWarning))
            }
            row.set(rate.key, usd)
        }
    }

    private static func readOthers(
        _ text: (String) -> String, _ row: inout PriceRow, _ reading: inout Reading
    ) {
        let search = text("usd_per_web_search")
        if !search.isEmpty {
            if case .value(let usd) = ExactUSD.read(search), usd >= .zero {
                row.searchMedium = usd
                row.searchLow = usd
                row.isSearchPerQuery = true
            } else {
                reading.problems.append(
                    Problem(
                        key: "usd_per_web_search",
                        message: "\"\(search)\" is not a price in dollars"))
            }
        }
        for (key, field) in [
            ("default_vcpu", \PriceRow.defaultVCPUMilli),
            ("default_ram_gib", \PriceRow.defaultGiBMilli),
        ] {
            let size = text(key)
            if size.isEmpty { continue }
            if case .value(let milli) = FixedPoint.read(Array(size.utf8).span, scale: 3),
                (0...1_000_000_000).contains(milli)
            {
                row[keyPath: field] = UInt32(milli)
            } else {
                reading.problems.append(Problem(key: key, message: "\"\(size)\" is no size"))
            }
        }
    }
}
