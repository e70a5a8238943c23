internal import JSON
internal import TimeZones
internal import Wire

// The layout of LiteLLM's `model_prices_and_context_window.json`, which is also that of the
// built-in list:
//
//     {"gpt-4o": {"litellm_provider": "openai", "mode": "chat",
//                 "input_cost_per_token": 2.5e-06, "input_cost_per_token_batches": 1.25e-06, ...}}
//
// https://docs.litellm.ai/docs/provider_registration/add_model_pricing
//
// Read from the tokens of the text, so that a rate is the decimal that stands in the file. Keys
// that are no prices are stepped over; `valid_from`, `valid_to` and the sandbox keys are additions
// of the built-in list.

public enum LiteLLMFile {
    /// Reads a whole file. `sample_spec`, which documents the keys, is no model.
    public static func read(_ bytes: [UInt8], name: String) -> PriceList {
        var list = PriceList(name: name)
        var padded = bytes
        JSONIndexer.pad(&padded)
        var indexer = JSONIndexer()
        do throws(JSONTextFault) {
            list = try indexer.read(padded.span, 0..<bytes.count) { document in
                var reader = LiteLLMReader(name: name)
                reader.readModels(document)
                return reader.list
            }
        } catch {
            list.faults.append(PriceFault(file: name, message: "not JSON: \(error.description)"))
        }
        return list
    }
}

private struct LiteLLMReader {
    var list: PriceList
    private var names: Set<String> = []
    /// Of the model at hand.
    private var row = PriceRow(provider: "", key: "")
    private var isRefused = false

    init(name: String) { list = PriceList(name: name) }

    mutating func readModels(_ document: borrowing JSONDocument) {
        guard document.kind(0) == UInt8(ascii: "{") else {
            list.faults.append(
                PriceFault(file: list.name, message: "not an object of models by name"))
            return
        }
        do throws(JSONFault) {
            // The grammar first: what follows need not doubt it.
            guard try document.skip(0) == document.tokenCount else {
                throw JSONFault(offset: 0, message: "text after the value")
            }
        } catch {
            list.faults.append(
                PriceFault(
                    file: list.name, message: "not JSON at byte \(error.offset): \(error.message)"))
            return
        }
        forEachMember(document, of: 0) { reader, name, token in
            guard document.kind(token) == UInt8(ascii: "{") else { return }
            if name == "sample_spec" || name.hasPrefix("_") { return }
            reader.readModel(document, name: name, token)
        }
    }

    private mutating func readModel(
        _ document: borrowing JSONDocument, name: String, _ token: Int
    ) {
        row = PriceRow(provider: "", key: name)
        isRefused = false
        forEachMember(document, of: token) { reader, key, value in
            reader.readField(document, key, value)
        }
        guard names.insert(name.lowercased()).inserted || row.validTo < .max else {
            fault("", "stands twice in the file")
            return
        }
        if row.provider.isEmpty { row.provider = ProviderNames.leading(of: name) }
        if !isRefused, !row.rates.isEmpty || !row.bands.isEmpty { list.rows.append(row) }
    }

    private mutating func readField(
        _ document: borrowing JSONDocument, _ key: String, _ token: Int
    ) {
        if document.isNull(token) { return }
        switch key {
        case "litellm_provider":
            row.provider = ProviderNames.canonical(text(document, token)?.lowercased() ?? "")
        case "mode": row.mode = text(document, token) ?? "chat"
        case "tiered_pricing": readBands(document, token)
        case "off_peak_pricing": readOffPeak(document, token)
        case "search_context_cost_per_query": readSearch(document, token)
        case "web_search_billing_unit":
            row.isSearchPerQuery = text(document, token) == "per_query"
        case "provider_specific_entry": readSurcharges(document, token)
        case "regional_processing_uplift_multiplier_eu":
            addSurcharge(document, .residency("eu"), key, token)
        case "regional_processing_uplift_multiplier_us":
            addSurcharge(document, .residency("us"), key, token)
        case "regional_endpoint_uplift_multiplier":
            addSurcharge(document, .regionalEndpoint, key, token)
        case "valid_from": row.validFrom = day(document, key, token) ?? row.validFrom
        case "valid_to": row.validTo = day(document, key, token) ?? row.validTo
        case "default_vcpu": row.defaultVCPUMilli = thousandths(document, token)
        case "default_ram_gib": row.defaultGiBMilli = thousandths(document, token)
        default:
            // Most keys of the file are no prices: two tests before the text is looked at.
            guard key.utf8.contains(UInt8(ascii: "t")), key.contains("cost"),
                let rateKey = RateKey(priceFileKey: key)
            else { return }
            guard row[rateKey] == nil else { return fault(key, "stands twice") }
            guard let usd = rate(document, key, token, rateKey.kind) else { return }
            row.rates.append(PriceRow.Rate(key: rateKey, usd: usd))
        }
    }

    private mutating func fault(_ key: String, _ message: String, isWarning: Bool = false) {
        list.faults.append(
            PriceFault(
                file: list.name, model: row.key, key: key, message: message, isWarning: isWarning))
        if !isWarning { isRefused = true }
    }
}

extension LiteLLMReader {
    /// Nil after a fault. Numbers may stand in quotes, as they do in files kept by hand.
    private mutating func rate(
        _ document: borrowing JSONDocument, _ key: String, _ token: Int, _ kind: RateKind
    ) -> ExactUSD? {
        let literal = number(document, token)
        guard let literal, case .value(let usd) = ExactUSD.read(literal) else {
            fault(key, "\(literal ?? "a list or object") is not a price in dollars")
            return nil
        }
        if let (message, isWarning) = RateBounds.doubt(usd, kind) {
            fault(key, message, isWarning: isWarning)
            if !isWarning { return nil }
        }
        return usd
    }

    private mutating func rates(
        _ document: borrowing JSONDocument, of token: Int
    ) -> [PriceRow.Rate] {
        var rates: [PriceRow.Rate] = []
        forEachMember(document, of: token) { reader, key, value in
            guard let rateKey = RateKey(priceFileKey: key), !document.isNull(value),
                let usd = reader.rate(document, key, value, rateKey.kind)
            else { return }
            rates.append(PriceRow.Rate(key: rateKey, usd: usd))
        }
        return rates
    }

    /// `[{"range": [0, 32000], "input_cost_per_token": ...}, ...]`
    private mutating func readBands(_ document: borrowing JSONDocument, _ token: Int) {
        var bands: [PriceRow.Band] = []
        forEachItem(document, of: token) { reader, item in
            var bounds: [UInt64] = []
            reader.forEachMember(document, of: item) { reader, key, value in
                guard key == "range" else { return }
                reader.forEachItem(document, of: value) { reader, bound in
                    if let text = reader.number(document, bound),
                        case .value(let milli) = FixedPoint.read(Array(text.utf8).span, scale: 3),
                        milli >= 0
                    {
                        bounds.append(UInt64(milli) / 1000)
                    }
                }
            }
            guard bounds.count == 2, bounds[0] < bounds[1] else { return }
            bands.append(
                PriceRow.Band(
                    above: bounds[0], upTo: bounds[1], rates: reader.rates(document, of: item)))
        }
        // A band without an input rate prices nothing.
        if bands.allSatisfy({ $0[.input] != nil }) {
            row.bands = bands.sorted { $0.above < $1.above }
        }
    }

    private mutating func readOffPeak(_ document: borrowing JSONDocument, _ token: Int) {
        var offPeak = OffPeak(windows: [], rates: rates(document, of: token))
        forEachMember(document, of: token) { reader, key, value in
            switch key {
            case "weekday_timezone":
                let name = reader.text(document, value) ?? "UTC"
                do throws(ZoneError) {
                    offPeak.zone = try Zone(named: name)
                } catch { reader.fault(key, "\(error); UTC is used", isWarning: true) }
            case "hours_utc":
                let hours = reader.hours(document, value)
                offPeak.windows.append(OffPeak.Window(hours: hours, weekdays: nil))
            case "windows":
                reader.forEachItem(document, of: value) { reader, item in
                    var window = OffPeak.Window(hours: [], weekdays: nil)
                    reader.forEachMember(document, of: item) { reader, key, value in
                        if key == "hours_utc" { window.hours = reader.hours(document, value) }
                        if key == "weekdays" { window.weekdays = reader.weekdays(document, value) }
                    }
                    offPeak.windows.append(window)
                }
            default: break
            }
        }
        row.offPeak = offPeak
    }

    private mutating func hours(
        _ document: borrowing JSONDocument, _ token: Int
    ) -> [OffPeak.Hours] {
        var texts: [String] = []
        if let single = text(document, token) { texts = [single] }
        forEachItem(document, of: token) { reader, item in
            if let text = reader.text(document, item) { texts.append(text) }
        }
        return texts.compactMap { text in
            let parts = text.split(separator: "-")
            guard parts.count == 2, let start = Self.clock(parts[0]), let end = Self.clock(parts[1])
            else {
                fault("off_peak_pricing", "\"\(text)\" is no span of hours such as 16:30-00:30")
                return nil
            }
            return OffPeak.Hours(start: start, end: end)
        }
    }

    private static func clock(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ":").map { $0.filter { $0 != " " } }
        guard parts.count == 2, let hour = Int64(parts[0]), let minute = Int64(parts[1]),
            (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        return hour * 3600 + minute * 60
    }

    private mutating func weekdays(
        _ document: borrowing JSONDocument, _ token: Int
    ) -> Set<Int> {
        var days: Set<Int> = []
        forEachItem(document, of: token) { reader, item in
            guard let word = reader.number(document, item)?.lowercased() else { return }
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            if let number = Int(word), (1...7).contains(number) {
                days.insert(number)
            } else if let index = names.firstIndex(where: { word.hasPrefix($0) }) {
                days.insert(index + 1)
            } else {
                reader.fault("off_peak_pricing", "\"\(word)\" is no weekday from 1 (Monday) to 7")
            }
        }
        return days
    }

    private mutating func readSearch(_ document: borrowing JSONDocument, _ token: Int) {
        forEachMember(document, of: token) { reader, key, value in
            guard let usd = reader.rate(document, key, value, .webSearch) else { return }
            switch key {
            case "search_context_size_low": reader.row.searchLow = usd
            case "search_context_size_medium": reader.row.searchMedium = usd
            case "search_context_size_high": reader.row.searchHigh = usd
            default: break
            }
        }
    }

    private mutating func readSurcharges(_ document: borrowing JSONDocument, _ token: Int) {
        forEachMember(document, of: token) { reader, key, value in
            reader.addSurcharge(document, .provider(key.lowercased()), key, value)
        }
    }

    private mutating func addSurcharge(
        _ document: borrowing JSONDocument, _ cause: PriceRow.Surcharge.Cause, _ key: String,
        _ token: Int
    ) {
        guard let literal = number(document, token),
            let factor = Factor.read(Array(literal.utf8).span)
        else {
            // `provider_specific_entry` also holds facts that are no factors.
            if case .provider = cause { return }
            return fault(key, "not a factor such as 1.1")
        }
        row.surcharges.append(PriceRow.Surcharge(cause: cause, factor: factor))
    }
}

extension LiteLLMReader {
    /// A day in `valid_to` is included, so its end; a moment is as it stands.
    private mutating func day(
        _ document: borrowing JSONDocument, _ key: String, _ token: Int
    ) -> Int64? {
        guard let word = text(document, token), let start = PriceDay.start(of: word) else {
            fault(key, "not a day such as 2026-12-31")
            return nil
        }
        return key == "valid_to" && word.utf8.count == 10 ? start + RFC3339.secondsPerDay : start
    }

    private func thousandths(_ document: borrowing JSONDocument, _ token: Int) -> UInt32 {
        guard let literal = number(document, token),
            case .value(let value) = FixedPoint.read(Array(literal.utf8).span, scale: 3)
        else { return 0 }
        return UInt32(clamping: value)
    }

    private func text(_ document: borrowing JSONDocument, _ token: Int) -> String? {
        try? document.text(token)
    }

    /// A number with or without quotes.
    private func number(_ document: borrowing JSONDocument, _ token: Int) -> String? {
        if let text = text(document, token) { return text }
        guard document.isNumber(token) else { return nil }
        return document.withBytes(document.literal(token), String.init(copying:))
    }

    /// `body` gets the key and the token of the value. The grammar was checked before.
    private mutating func forEachMember(
        _ document: borrowing JSONDocument, of token: Int,
        _ body: (inout LiteLLMReader, String, Int) -> Void
    ) {
        guard document.kind(token) == UInt8(ascii: "{") else { return }
        var token = token + 1
        while document.kind(token) == UInt8(ascii: "\""),
            document.kind(token + 1) == UInt8(ascii: ":")
        {
            let key = text(document, token) ?? ""
            body(&self, key, token + 2)
            guard let next = document.stepOver(token + 2) else { return }
            token = document.kind(next) == UInt8(ascii: ",") ? next + 1 : next
        }
    }

    private mutating func forEachItem(
        _ document: borrowing JSONDocument, of token: Int,
        _ body: (inout LiteLLMReader, Int) -> Void
    ) {
        guard document.kind(token) == UInt8(ascii: "[") else { return }
        var token = token + 1
        while document.kind(token) != UInt8(ascii: "]"), document.kind(token) != 0 {
            body(&self, token)
            guard let next = document.stepOver(token) else { return }
            token = document.kind(next) == UInt8(ascii: ",") ? next + 1 : next
        }
    }
}
