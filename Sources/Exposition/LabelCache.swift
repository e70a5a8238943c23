internal import Aggregation
internal import Ledger
internal import Usage

/// Label text of table rows, written once: rows are never removed, so scrapes reuse it.
struct LabelCache {
    private let names: [[UInt8]]
    private(set) var text = LabelText()

    init(labels: [Dimension]) {
        names = labels.map { Array($0.labelName.utf8) }
    }

    var count: Int { text.count }

    mutating func extend(to table: LabelSetTable, _ texts: Names) {
        guard table.count > count else { return }
        let missing = count..<table.count
        let labelNames = names
        let (bytes, ends) = texts.withTable { texts in
            var bytes: [UInt8] = []
            var ends: [Int] = []
            var value: [UInt8] = []
            for row in missing {
                let rowStart = bytes.count
                for (index, name) in labelNames.enumerated() {
                    let id = table.keys[row][index]
                    // An empty label and an absent one are the same series.
                    if id == 0 { continue }
                    value.removeAll(keepingCapacity: true)
                    texts.append(id, to: &value)
                    if bytes.count > rowStart { bytes.append(UInt8(ascii: ",")) }
                    bytes.appendLabel(name, value[...])
                }
                ends.append(bytes.count)
            }
            return (bytes, ends)
        }
        text.append(bytes, ends: ends)
    }

    subscript(row: Int) -> ArraySlice<UInt8> { text[row] }
}
