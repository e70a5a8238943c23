internal import Aggregation
internal import Ledger
internal import Usage

/// Label text of table rows, written once: rows are never removed, so scrapes reuse it.
struct LabelCache {
    private let names: [[UInt8]]
    private var bytes: [UInt8] = []
    private var starts = [0]

    init(labels: [Dimension]) {
        names = labels.map { Array($0.labelName.utf8) }
    }

    var count: Int { starts.count - 1 }

    mutating func extend(to table: LabelSetTable, _ texts: Names) {
        guard table.count > count else { return }
        let missing = count..<table.count
        let labelNames = names
        let start = bytes
        bytes = []
        let (grown, ends) = texts.withTable { texts in
            var grown = start
            var ends: [Int] = []
            var value: [UInt8] = []
            for row in missing {
                let rowStart = grown.count
                for (index, name) in labelNames.enumerated() {
                    let id = table.keys[row][index]
                    // An empty label and an absent one are the same series.
                    if id == 0 { continue }
                    value.removeAll(keepingCapacity: true)
                    texts.append(id, to: &value)
                    if grown.count > rowStart { grown.append(UInt8(ascii: ",")) }
                    grown.appendLabel(name, value[...])
                }
                ends.append(grown.count)
            }
            return (grown, ends)
        }
        bytes = grown
        starts += ends
    }

    subscript(row: Int) -> ArraySlice<UInt8> { bytes[starts[row]..<starts[row + 1]] }
}
