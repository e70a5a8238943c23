internal import Budgets
internal import Usage
internal import Wire
internal import YAML

extension ConfigurationMap {
    private static let ratioText = "a part of the limit above 0, such as 0.9 for 90 %"
    private static let ratioNanosMax: Int64 = 10_000_000_000

    /// `[0.5, {at: 0.9, severity: critical}]`; nil when the key is not there.
    mutating func thresholds(_ name: String, countMax: Int) -> [BudgetDefinition.Threshold]? {
        let node = node(name)
        if reader.isListingKeys {
            var entry = ConfigurationMap(nil, path: key(name) + "[]", reader: reader)
            _ = threshold(&entry)
        }
        guard let node, !node.isNull else { return nil }
        guard case .sequence(let items) = node.content else {
            reader.fault(
                node.mark, key(name), "must be a list, such as [0.5, 0.9]; got \(node.kindName)")
            return nil
        }
        guard !items.isEmpty, items.count <= countMax else {
            reader.fault(
                node.mark, key(name), "has \(items.count) entries; write 1 to \(countMax)")
            return nil
        }
        return items.enumerated().compactMap { index, item in
            let place = "\(key(name))[\(index)]"
            if case .scalar(let text, _) = item.content {
                guard let ratio = Self.ratio(text) else {
                    reader.fault(item.mark, place, "\"\(text)\" is not \(Self.ratioText)")
                    return nil
                }
                return BudgetDefinition.Threshold(ratioNanos: ratio)
            }
            var entry = ConfigurationMap(item, path: place, reader: reader, hasVariables: false)
            defer { entry.finish() }
            return threshold(&entry)
        }
    }

    private func threshold(_ entry: inout ConfigurationMap) -> BudgetDefinition.Threshold? {
        let ratio = entry.scalar("at", default: Int64(0), expected: Self.ratioText) {
            Self.ratio($0)
        }
        let severity = entry.severity("severity")
        guard ratio > 0 else {
            if !entry.has("at"), !entry.reader.isListingKeys {
                entry.missing("at", "write the part of the limit, such as 0.9")
            }
            return nil
        }
        return BudgetDefinition.Threshold(ratioNanos: ratio, severity: severity)
    }

    private static func ratio(_ text: String) -> Int64? {
        guard case .value(let ratio) = FixedPoint.read(Array(text.utf8).span, scale: 9), ratio > 0,
            ratio <= ratioNanosMax
        else { return nil }
        return ratio
    }

    mutating func severity(_ name: String) -> Severity? {
        scalar(
            name, default: nil, expected: "one of \(Severity.words.joined(separator: ", "))"
        ) { text in
            Severity(word: text).map { .some($0) }
        }
    }
}
