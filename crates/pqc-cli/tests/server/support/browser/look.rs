//! How a page looks in the browser, by theme and width: pictures of it, and what is wrong with it.

use std::path::Path;

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use super::Browser;

/// What a person's system is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// The usual one.
    Light,
    /// The one for the night.
    Dark,
}

impl Theme {
    /// Each.
    pub(crate) const BOTH: [Self; 2] = [Self::Light, Self::Dark];

    /// As CSS has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Shows pages as on a screen of this size, to who likes this theme; the one that is open, too.
    pub(crate) fn look(&self, theme: Theme, width: u32, height: u32) {
        let feature = json!({"name": "prefers-color-scheme", "value": theme.name()});
        self.command("Emulation.setEmulatedMedia", &json!({"features": [feature]}));
        let screen =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", &screen);
        // As where they lie over the page: it has all of the width.
        self.command("Emulation.setScrollbarsHidden", &json!({"hidden": true}));
    }

    /// Takes a picture (PNG) of the page from its top, with what is below the screen, as high as
    /// `tallest` at the most.
    pub(crate) fn screenshot(&self, file: &Path, tallest: u32) {
        let metrics = self.command("Page.getLayoutMetrics", &json!({}));
        let size = &metrics["cssContentSize"];
        let height = size["height"].as_f64().unwrap().min(f64::from(tallest));
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let taken = self.command("Page.captureScreenshot", &wanted);
        let png = Base64::decode_vec(taken["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }

    /// What axe-core, of which this is the source text, finds wrong with the page: a line each.
    pub(crate) fn violations(&self, axe: &str) -> Vec<String> {
        // A page that was loaded anew has it no more. The driver's scripts are under no policy of
        // the page's.
        if self.run("return typeof window.axe", &[]) == "undefined" {
            self.run(axe, &[]);
        }
        lines(&self.run_async(VIOLATIONS, &[json!(RULES)]))
    }

    /// What is too wide for the screen: a line each, after one that says by how much.
    pub(crate) fn overflows(&self) -> Vec<String> {
        lines(&self.run(OVERFLOWS, &[]))
    }

    /// When the page showed its first text or picture, in milliseconds since it was asked for.
    pub(crate) fn first_paint_millis(&self) -> f64 {
        self.run_async(FIRST_PAINT, &[]).as_f64().unwrap()
    }

    /// How much of what was shown has jumped since, by itself (the "cumulative layout shift").
    pub(crate) fn layout_shift(&self) -> f64 {
        self.run_async(LAYOUT_SHIFT, &[]).as_f64().unwrap()
    }

    /// What has the focus: its `tag`, `id`, `href` and `text`; whether it `is_outlined` and
    /// `is_in_view`.
    pub(crate) fn focused(&self) -> Value {
        self.run(FOCUSED, &[])
    }

    /// Asks Chromium in its own protocol for what WebDriver has no word for.
    fn command(&self, method: &str, params: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({"cmd": method, "params": params}))
    }
}

/// The source text of axe-core; nothing where nobody says where it is.
pub(crate) fn axe() -> Option<String> {
    let Ok(file) = std::env::var("PQC_TEST_AXE") else {
        eprintln!("\nSKIPPED: what axe-core finds on pages: PQC_TEST_AXE names no axe.min.js\n");
        let is_ci = std::env::var("CI").as_deref() == Ok("true");
        assert!(!is_ci, "CI needs axe-core");
        return None;
    };
    Some(std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}")))
}

fn lines(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Those of the Web Content Accessibility Guidelines, levels A and AA, and axe-core's own advice.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const VIOLATIONS: &str = r#"
const told = ({id, help, nodes}) => {
    const some = nodes.slice(0, 3).map(({target, html}) => `${target} ${html.slice(0, 200)}`);
    return `${id}: ${help}: ${some.join(" | ")}`;
};
axe.run(document, {runOnly: arguments[0]}).then(
    ({violations}) => done(violations.map(told)),
    (error) => done([`axe-core failed: ${error}`]),
);
"#;

const OVERFLOWS: &str = r#"
const page = document.documentElement, room = page.clientWidth;
if (page.scrollWidth <= room) return [];
const isWide = (element) => element.getBoundingClientRect().right > room + 1;
const wide = [...document.querySelectorAll("body *")].filter(isWide).slice(0, 5);
return [`${page.scrollWidth} > ${room}`, ...wide.map(({outerHTML}) => outerHTML.slice(0, 200))];
"#;

const FIRST_PAINT: &str = r#"
const look = () => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (paint) done(paint.startTime); else setTimeout(look, 5);
};
look();
"#;

/// What was observed before comes to the observer too, after two frames at the latest.
const LAYOUT_SHIFT: &str = r#"
let sum = 0;
const add = (entries) => {
    for (const {hadRecentInput, value} of entries) if (!hadRecentInput) sum += value;
};
const observer = new PerformanceObserver((list) => add(list.getEntries()));
observer.observe({type: "layout-shift", buffered: true});
const tell = () => {
    add(observer.takeRecords());
    done(sum);
};
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(tell, 50)));
"#;

/// The button within a field for a date is outlined by the browser, and the field then is not.
const FOCUSED: &str = r#"
const element = document.activeElement, box = element.getBoundingClientRect();
const {outlineStyle, outlineWidth} = getComputedStyle(element);
return {
    tag: element.localName,
    id: element.id,
    href: element.getAttribute("href"),
    text: element.textContent.trim().slice(0, 60),
    is_outlined: element.type === "date" || outlineStyle !== "none" && parseFloat(outlineWidth) > 0,
    is_in_view: box.width > 0 && box.right > 0 && box.bottom > 0
        && box.left < innerWidth && box.top < innerHeight,
};
"#;
