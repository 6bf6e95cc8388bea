// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Testing

/// Remembers what a surface told it; used on one thread.
final class RecordingListener: DisplayListener, @unchecked Sendable {
  // Unchecked: each test uses its listener on one thread.
  var sizes: [[Int]] = []
  var rectangles: [PixelRectangle] = []

  func displayResized(width: Int, height: Int) { sizes.append([width, height]) }
  func displayUpdated(_ rectangle: PixelRectangle) { rectangles.append(rectangle) }
}

@Suite struct DisplaySurfaceTests {
  @Test func aListenerLearnsThePresentAndEachNewSize() {
    let surface = DisplaySurface(width: 640, height: 480)
    let listener = RecordingListener()
    surface.addListener(listener)
    surface.resize(width: 800, height: 600)
    surface.resize(width: 800, height: 600)
    #expect(listener.sizes == [[640, 480], [800, 600]])
  }

  @Test func aNewSizeIsBlack() {
    let surface = DisplaySurface(width: 4, height: 4)
    surface.lock.withLock { surface.pixels.update(repeating: 0xFF_FFFF) }
    surface.resize(width: 5, height: 3)
    surface.lock.withLock {
      #expect(surface.pixels.count == 15)
      #expect(surface.pixels.allSatisfy { $0 == 0 })
    }
  }

  @Test func impossibleSizesAreBroughtIntoRange() {
    let surface = DisplaySurface(width: 4, height: 4)
    surface.resize(width: -5, height: 0)
    #expect([surface.width, surface.height] == [1, 1])
    surface.resize(width: 1, height: 1_000_000)
    #expect([surface.width, surface.height] == [1, DisplaySurface.maximumExtent])
  }

  @Test func changesReachAllListeners() {
    let surface = DisplaySurface()
    let listeners = [RecordingListener(), RecordingListener()]
    for listener in listeners { surface.addListener(listener) }
    let rectangle = PixelRectangle(x: 1, y: 2, width: 3, height: 4)
    surface.changed(rectangle)
    for listener in listeners { #expect(listener.rectangles == [rectangle]) }
  }
}
