public import JSON
internal import Wire

/// The facts that few events have, as one JSON column: it keeps the table narrow and readable with
/// `json_extract`.
public enum EventDetail {
    public static func isNeeded(_ event: CostEvent) -> Bool {
        event.resource != 0 || event.computeMicros != 0 || event.vcpuMilli != 0
            || event.gibMilli != 0 || event.tokens.audioInput != 0 || event.tokens.audioOutput != 0
            || event.textInputChars != 0 || event.textOutputChars != 0
            || event.cacheWriteHour != 0 || event.webSearches != 0
            || event.region != 0 || !event.reservation.isEmpty
    }

    /// Appends the JSON of what `event` has beyond the columns; `.none` when that is nothing.
    /// `folded` are values that found no room among the names.
    public static func write(
        _ event: CostEvent, resource: String, region: String = "",
        folded: [(key: String, text: String)] = [],
        to rows: inout EventRows
    ) -> TextRef {
        var json: [UInt8] = []
        func add(_ key: StaticString, _ body: (inout [UInt8]) -> Void) {
            json.append(UInt8(ascii: json.isEmpty ? "{" : ","))
            json.append(UInt8(ascii: "\""))
            json.append(key)
            json.append("\":" as StaticString)
            body(&json)
        }
        func add(_ key: StaticString, number: Int64, scale: Int = 0) {
            if number != 0 { add(key) { FixedPoint.append(number, scale: scale, to: &$0) } }
        }
        add("audio_input_tokens", number: Int64(event.tokens.audioInput))
        add("audio_output_tokens", number: Int64(event.tokens.audioOutput))
        add("text_input_chars", number: Int64(event.textInputChars))
        add("text_output_chars", number: Int64(event.textOutputChars))
        add("cache_write_1h_tokens", number: Int64(event.cacheWriteHour))
        add("web_searches", number: Int64(event.webSearches))
        add("seconds", number: event.computeMicros, scale: 6)
        add("vcpu", number: Int64(event.vcpuMilli), scale: 3)
        add("gib", number: Int64(event.gibMilli), scale: 3)
        if event.resource != 0 { add("resource") { $0.appendJSONString(resource) } }
        if event.region != 0 { add("region") { $0.appendJSONString(region) } }
        if !event.reservation.isEmpty {
            let reservation = rows.string(event.reservation)
            add("reservation") { $0.appendJSONString(reservation) }
        }
        if !folded.isEmpty {
            add("folded") { json in
                for (index, (key, text)) in folded.enumerated() {
                    json.append(UInt8(ascii: index == 0 ? "{" : ","))
                    json.appendJSONString(key)
                    json.append(UInt8(ascii: ":"))
                    json.appendJSONString(text)
                }
                json.append(UInt8(ascii: "}"))
            }
        }
        guard !json.isEmpty else { return .none }
        json.append(UInt8(ascii: "}"))
        return rows.append(json.span)
    }

    /// Puts back what `write` took out.
    public static func read(
        _ json: JSONValue, into event: inout CostEvent, rows: inout EventRows,
        intern: (String) -> NameID
    ) {
        func number(_ key: String, scale: Int = 0) -> Int64 {
            guard let literal = json[key]?.literal,
                case .value(let value) = FixedPoint.read(Array(literal.utf8).span, scale: scale)
            else { return 0 }
            return value
        }
        event.tokens.audioInput = UInt32(clamping: number("audio_input_tokens"))
        event.tokens.audioOutput = UInt32(clamping: number("audio_output_tokens"))
        event.textInputChars = UInt32(clamping: number("text_input_chars"))
        event.textOutputChars = UInt32(clamping: number("text_output_chars"))
        event.cacheWriteHour = UInt32(clamping: number("cache_write_1h_tokens"))
        event.webSearches = UInt32(clamping: number("web_searches"))
        event.computeMicros = number("seconds", scale: 6)
        event.vcpuMilli = UInt32(clamping: number("vcpu", scale: 3))
        event.gibMilli = UInt32(clamping: number("gib", scale: 3))
        if let resource = json["resource"]?.string { event.resource = intern(resource) }
        if let region = json["region"]?.string { event.region = intern(region) }
        if let reservation = json["reservation"]?.string {
            event.reservation = rows.append(Array(reservation.utf8).span)
        }
    }
}
