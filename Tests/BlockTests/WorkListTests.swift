// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Testing

@testable import Block

@Suite struct WorkListTests {
  private func drained(_ list: inout WorkList) -> [WorkItem] {
    var items: [WorkItem] = []
    while let item = list.popFirst() { items.append(item) }
    return items
  }

  @Test func keepsItsOrderAndLetsItemsGo() {
    let items = (0..<5).map { _ in WorkItem() }
    for removed in 0..<5 {
      var list = WorkList()
      for item in items { list.append(item) }
      let attempts = [list.remove(items[removed]), list.remove(items[removed])]
      #expect(attempts == [true, false])
      // The end of the list is still where it belongs.
      list.append(items[removed])
      let expected = items.filter { $0 !== items[removed] } + [items[removed]]
      let found = drained(&list)
      #expect(found.elementsEqual(expected) { $0 === $1 })
      #expect(list.isEmpty)
    }
  }

  @Test func joins() {
    let items = (0..<4).map { _ in WorkItem() }
    var first = WorkList()
    var second = WorkList()
    first.append(contentsOf: WorkList())
    second.append(items[0])
    first.append(contentsOf: second)
    var third = WorkList()
    third.append(items[1])
    third.append(items[2])
    first.append(contentsOf: third)
    first.append(items[3])
    let found = drained(&first)
    #expect(found.elementsEqual(items) { $0 === $1 })
  }
}
