/** Where the page starts. */

import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/kit.css";
import "./styles/page.css";
import "./styles/first.css";

import { createRoot } from "react-dom/client";

import { App } from "./app/App.tsx";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);
