internal import Wire
internal import YAML

/// One mapping of the file. Each key is asked for by name, with its kind and bounds; what nobody
/// asked for is a fault.
struct ConfigurationMap {
    let reader: ConfigurationReader
    let path: String
    let mark: YAMLMark?
    private let entries: [YAMLEntry]
    private var asked: Set<String> = []
    /// Values in lists have no name in the environment.
    private let hasVariables: Bool

    init(_ node: YAMLNode?, path: String, reader: ConfigurationReader, hasVariables: Bool = true) {
        self.reader = reader
        self.path = path
        self.hasVariables = hasVariables
        mark = node?.mark
        switch node?.content {
        case .mapping(let entries):
            self.entries = entries
            tellRepeated()
        case nil: entries = []
        case .some:
            entries = []
            if let node, !node.isNull {
                reader.fault(node.mark, path, "must be a mapping of keys; got \(node.kindName)")
            }
        }
    }

    private func tellRepeated() {
        var lines: [String: Int] = [:]
        for entry in entries {
            if let line = lines[entry.key] {
                reader.fault(
                    entry.keyMark, key(entry.key), "is set twice; the first is on line \(line)")
            } else {
                lines[entry.key] = entry.keyMark.line
            }
        }
    }

    func key(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// The value of a key and the name under which faults in it are told.
    mutating func node(_ name: String) -> YAMLNode? {
        asked.insert(name)
        reader.know(key(name))
        return entries.first { $0.key == name }?.value
    }

    mutating func map(_ name: String) -> ConfigurationMap {
        ConfigurationMap(
            node(name), path: key(name), reader: reader, hasVariables: hasVariables)
    }

    /// Reads a single value. `parse` answers nil when `expected` does not hold.
    ///
    /// `isText`: quotes make no difference. Otherwise a quoted value is text and no number or truth
    /// value.
    mutating func scalar<Value>(
        _ name: String, default fallback: Value, expected: String, isText: Bool = true,
        _ parse: (String) -> Value?
    ) -> Value {
        let node = node(name)
        let key = key(name)
        if hasVariables, let (variable, text) = reader.variable(for: key) {
            if let value = parse(text) { return value }
            reader.fault(
                nil, key, "\(Self.quoted(text)) is not \(expected)", variable: variable)
            return fallback
        }
        guard let node, !node.isNull else { return fallback }
        guard case .scalar(let text, let isPlain) = node.content else {
            reader.fault(node.mark, key, "must be \(expected); got \(node.kindName)")
            return fallback
        }
        guard isPlain || isText else {
            reader.fault(node.mark, key, "\(Self.quoted(text)) is text; write it without quotes")
            return fallback
        }
        guard let value = parse(text) else {
            reader.fault(node.mark, key, "\(Self.quoted(text)) is not \(expected)")
            return fallback
        }
        return value
    }

    /// An address can hold a secret, also under a key that it does not belong to.
    private static func quoted(_ text: String) -> String {
        text.contains("://") || text.contains("@") ? "this address" : "\"\(text)\""
    }

    mutating func string(_ name: String, default fallback: String, bytesMax: Int = 4096) -> String {
        scalar(name, default: fallback, expected: "text of at most \(bytesMax) bytes") {
            $0.utf8.count <= bytesMax ? $0 : nil
        }
    }

    /// A file or directory that need not be there yet, so that a mistake in it would go unnoticed.
    mutating func path(_ name: String, default fallback: String) -> String {
        let path = string(name, default: fallback)
        if path.hasPrefix("~") {
            fault(
                name,
                "\"\(path)\" begins with ~, which only a shell replaces; write the whole path, "
                    + "or ./\(path) for a file of that name")
        }
        return path
    }

    mutating func boolean(_ name: String, default fallback: Bool) -> Bool {
        scalar(name, default: fallback, expected: "true or false", isText: false) {
            switch $0 {
            case "true": true
            case "false": false
            default: nil
            }
        }
    }

    mutating func integer(
        _ name: String, default fallback: Int, in range: ClosedRange<Int>
    ) -> Int {
        scalar(
            name, default: fallback,
            expected: "an integer from \(range.lowerBound) to \(range.upperBound)", isText: false
        ) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func word<Word: RawRepresentable & CaseIterable>(
        _ name: String, default fallback: Word
    ) -> Word where Word.RawValue == String {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return scalar(name, default: fallback, expected: "one of \(words)") {
            Word(rawValue: $0)
        }
    }

    mutating func nanos(
        _ name: String, default fallback: Int64, in range: ClosedRange<Int64>
    ) -> Int64 {
        let (least, most) = (
            DurationText.text(range.lowerBound), DurationText.text(range.upperBound)
        )
        return scalar(
            name, default: fallback,
            expected:
                "a duration from \(least) to \(most); write a number and a unit (s, m, h, d), "
                + "such as 7d"
        ) { text in
            DurationText.nanos(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func bytes(
        _ name: String, default fallback: Int, in range: ClosedRange<Int>
    ) -> Int {
        let (least, most) = (SizeText.text(range.lowerBound), SizeText.text(range.upperBound))
        return scalar(
            name, default: fallback,
            expected: "a size from \(least) to \(most); write a number and a unit (KiB, MiB, GiB), "
                + "such as 16MiB"
        ) { text in
            SizeText.bytes(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A list of single values; each is parsed on its own, so that a fault names its place.
    mutating func list<Value>(
        _ name: String, default fallback: [Value], countMax: Int, expected: String,
        _ parse: (String) -> Value?
    ) -> [Value] {
        guard let node = node(name), !node.isNull else { return fallback }
        guard case .sequence(let items) = node.content else {
            reader.fault(
                node.mark, key(name), "must be a list, such as [a, b]; got \(node.kindName)")
            return fallback
        }
        guard items.count <= countMax else {
            reader.fault(
                node.mark, key(name), "has \(items.count) entries; at most \(countMax)")
            return fallback
        }
        return items.enumerated().compactMap { index, item in
            guard case .scalar(let text, _) = item.content, let value = parse(text) else {
                let got =
                    if case .scalar(let text, _) = item.content { "\"\(text)\"" } else {
                        item.kindName
                    }
                reader.fault(item.mark, "\(key(name))[\(index)]", "\(got) is not \(expected)")
                return nil
            }
            return value
        }
    }

    /// Whether the key is there with a value.
    mutating func has(_ name: String) -> Bool { node(name).map { !$0.isNull } ?? false }

    /// A list of mappings; each is decoded on its own.
    mutating func maps<Value>(
        _ name: String, countMax: Int, _ decode: (inout ConfigurationMap) -> Value?
    ) -> [Value]? {
        let node = node(name)
        let path = key(name)
        if reader.isListingKeys {
            var item = ConfigurationMap(nil, path: path + "[]", reader: reader, hasVariables: false)
            _ = decode(&item)
        }
        guard let node, !node.isNull else { return nil }
        guard case .sequence(let items) = node.content else {
            reader.fault(node.mark, path, "must be a list of mappings; got \(node.kindName)")
            return nil
        }
        guard items.count <= countMax else {
            reader.fault(node.mark, path, "has \(items.count) entries; at most \(countMax)")
            return nil
        }
        return items.enumerated().compactMap { index, item in
            let place = "\(path)[\(index)]"
            guard case .mapping = item.content else {
                reader.fault(item.mark, place, "must be a mapping of keys; got \(item.kindName)")
                return nil
            }
            var map = ConfigurationMap(item, path: place, reader: reader, hasVariables: false)
            let value = decode(&map)
            map.finish()
            return value
        }
    }

    /// A mapping whose keys the user chooses: each with the text or texts it stands for.
    mutating func texts(
        _ name: String, countMax: Int
    ) -> [(name: String, values: [String], mark: YAMLMark)] {
        guard let node = node(name), !node.isNull else { return [] }
        guard case .mapping(let entries) = node.content else {
            reader.fault(node.mark, key(name), "must be a mapping; got \(node.kindName)")
            return []
        }
        guard entries.count <= countMax else {
            reader.fault(
                node.mark, key(name), "has \(entries.count) entries; at most \(countMax)")
            return []
        }
        return entries.compactMap { entry in
            let items: [YAMLNode] =
                if case .sequence(let items) = entry.value.content { items } else { [entry.value] }
            var values: [String] = []
            for item in items {
                guard case .scalar(let text, _) = item.content, text.utf8.count <= 4096 else {
                    reader.fault(
                        item.mark, "\(key(name)).\(entry.key)",
                        "must be a text or a list of texts; got \(item.kindName)")
                    return nil
                }
                values.append(text)
            }
            return (entry.key, values, entry.keyMark)
        }
    }

    /// A fault at a key that was read and does not fit something else.
    func fault(_ name: String, _ message: String) {
        let mark = entries.first { $0.key == name }?.value.mark
        let variable = mark == nil ? reader.variable(for: key(name))?.name : nil
        reader.fault(mark, key(name), message, variable: variable)
    }

    /// Faults for keys that nobody asked for.
    func finish() {
        for entry in entries where !asked.contains(entry.key) {
            if reader.faults.count >= ConfigurationReader.faultsMax { return }
            let hint =
                Guess.nearest(to: entry.key, among: asked).map { "; did you mean \($0)?" }
                ?? (asked.isEmpty
                    ? "" : "; there are \(asked.sorted().joined(separator: ", "))")
            reader.fault(entry.keyMark, key(entry.key), "unknown key" + hint)
        }
    }
}
